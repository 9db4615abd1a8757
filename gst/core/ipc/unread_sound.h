// SPDX-License-Identifier: LGPL-2.1-or-later
// How much sound is in the kernel on its way to a peer that has not read it yet.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>
#include <vector>

namespace jkvm {

/// The kernel only counts the memory that unread messages take (SIOCOUTQ), its own overhead
/// included: a frame of 20 ms may take four times its size. So this knows what messages of a size
/// take, and finds from the count how many of the newest ones are still there: what was sent first
/// is read first.
///
/// What they take is what Linux takes on 64 bit, until it was seen. It is a good guess, no proof: a
/// reader that reads between the two counts of a message hides a part of what that took. Once it
/// has read all, the guess is exact again.
class UnreadSound {
public:
    /// Whether the kernel is to be counted around a message of `size` bytes, because it was not
    /// seen well yet what these take. Only of use where something is unread: a reader that is quick
    /// has read the message before the second count.
    [[nodiscard]] bool is_learning(std::size_t size) const;
    /// The kernel's count around a message of `size` bytes, bytes.
    void learn(std::size_t size, int before, int after);

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
    // Messages of a class, so many bytes apart, take the same: the kernel's memory comes in
    // multiples of this. Those beyond the classes are so rare that each is learned anew.
    static constexpr std::size_t grain = 64;
    static constexpr std::size_t rare = 64; // the class of these
    static constexpr int lessons = 4;       // of each class
    static constexpr std::size_t many = 1000;
    struct Class {
        int memory = 0; ///< the most that was seen (a reader only hides some); 0 = none was
        int seen = 0;
    };

    static std::size_t class_of(std::size_t size);
    [[nodiscard]] int memory_of(std::size_t size) const;
    /// How many of the newest ones the kernel still holds.
    [[nodiscard]] std::size_t count(int memory) const;

    std::vector<Sent> sent_; // since the last look, and what was unread then; mostly a few
    nanoseconds sum_{0};     // over sent_
    std::array<Class, rare + 1> classes_{};
};

} // namespace jkvm
