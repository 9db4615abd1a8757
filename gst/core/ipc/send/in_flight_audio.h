// SPDX-License-Identifier: LGPL-2.1-or-later
// How much sound is in the kernel on its way to a peer that has not read it yet.
#pragma once

#include "core/base/time.h"

#include <cstddef>
#include <vector>

namespace jkvm {

/// The kernel only counts the memory that unread messages take (SIOCOUTQ). This knows what each one
/// took, and finds from the count how many of the newest ones are still there: what was sent first
/// is read first.
class InFlightAudio {
public:
    /// A message, or the last part of one, was handed to the kernel. What came before the last part
    /// has no duration.
    void note_sent(nanoseconds duration, std::size_t size);
    /// How much is unread when the kernel counts so many bytes.
    [[nodiscard]] nanoseconds time(int memory) const;
    /// The same, and what was read is forgotten.
    nanoseconds look(int memory);

    /// No more than this is unread: what was so at the last look, and all that was sent since.
    /// Where that is little enough, nobody has to ask the kernel.
    [[nodiscard]] nanoseconds at_most() const { return sum_; }
    /// Whether it is time for a look anyway: what was sent since is many messages.
    [[nodiscard]] bool is_long() const { return sent_.size() >= many; }

private:
    struct Sent {
        nanoseconds duration;
        int memory;
    };
    static constexpr std::size_t many = 1000;

    /// How many of the newest ones the kernel still holds.
    [[nodiscard]] std::size_t count(int memory) const;

    std::vector<Sent> sent_; // since the last look, and what was unread then; mostly a few
    nanoseconds sum_{0};     // over sent_
};

} // namespace jkvm
