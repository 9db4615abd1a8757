// SPDX-License-Identifier: LGPL-2.1-or-later
// How much sound is in the kernel on its way to a peer that has not read it yet.
#pragma once

#include "core/base/time.h"

#include <deque>

namespace jkvm {

/// The kernel only counts the memory that unread messages take (SIOCOUTQ), its own overhead
/// included: a frame of 20 ms may take four times its size. So this remembers what each message
/// took, and finds from the count how many of the newest ones are still there: what was sent first
/// is read first.
///
/// It is a good guess, no proof: a reader that reads between the two counts of a message hides a
/// part of what that took. Once it has read all, the guess is exact again.
class UnreadSound {
public:
    /// A message was handed to the kernel, or the last part of one; what came before the last part
    /// has no duration. `before` and `after`: the kernel's count around it, bytes.
    void note_sent(nanoseconds duration, int before, int after);
    /// How much is unread when the kernel counts so many bytes.
    [[nodiscard]] nanoseconds time(int memory) const;

private:
    struct Sent {
        nanoseconds duration;
        int memory;
    };
    /// How many of the newest ones the kernel still holds.
    [[nodiscard]] std::size_t count(int memory) const;

    std::deque<Sent> sent_;
    int last_memory_ = 1;
};

} // namespace jkvm
