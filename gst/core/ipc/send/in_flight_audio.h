// SPDX-License-Identifier: LGPL-2.1-or-later
// Estimates how much audio the kernel still holds for a peer that has not read it yet.
#pragma once

#include "core/base/time.h"

#include <cstddef>
#include <vector>

namespace jkvm {

/// The kernel only reports the memory that unread messages occupy (SIOCOUTQ). This class records
/// how much each message occupies; because messages are read in the order in which they were sent,
/// that number determines how many of the newest ones are still unread.
class InFlightAudio {
public:
    /// Records `size` bytes that the kernel accepted: a whole message, or a part of one. Only the
    /// last part has the message's duration, the others have 0.
    void note_sent(nanoseconds duration, std::size_t size);
    /// Returns the duration of the messages that are unread when the kernel reports `memory` bytes.
    [[nodiscard]] nanoseconds duration(int memory) const;
    /// Does the same, and forgets the messages that were read.
    nanoseconds update(int memory);

    /// The duration that was unread at the last update() plus all that was sent since: if this is
    /// small enough, the kernel need not be asked.
    [[nodiscard]] nanoseconds upper_bound() const { return sum_; }
    /// Whether enough messages were sent since the last update() to make another one due.
    [[nodiscard]] bool needs_update() const { return sent_.size() >= max_recorded; }

private:
    struct Sent {
        nanoseconds duration;
        int memory; // bytes
    };
    static constexpr std::size_t max_recorded = 1000;

    /// The number of newest messages that the kernel still holds.
    [[nodiscard]] std::size_t count_unread(int memory) const;

    std::vector<Sent> sent_; // unread at the last update(), and sent since; usually a few
    nanoseconds sum_{0};     // over sent_
};

} // namespace jkvm
