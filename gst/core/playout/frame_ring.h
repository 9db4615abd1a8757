// SPDX-License-Identifier: LGPL-2.1-or-later
// The frames that wait to be played, in order of arrival, with their total duration and size.
#pragma once

#include "core/base/time.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jkvm {

/// One Opus packet as the playout engine sees it.
struct PlayoutFrame {
    nanoseconds media_time; ///< capture time, on any clock
    nanoseconds duration;   ///< > 0
    /// Granularity in which the codec can conceal a loss after this frame; > 0. See
    /// conceal_quantum().
    nanoseconds conceal_step;
    bool is_quiet = false; ///< dropping it is hardly audible. See QuietDetector.
    /// Longest loss after this frame that the codec conceals in one step without fading; a multiple
    /// of conceal_step. 0 = conceal_step.
    nanoseconds maximum_conceal_step{0};
    std::size_t bytes = 0;
    /// Identifies the frame to the caller; returned when the frame is played or dropped, and not
    /// interpreted.
    std::uint64_t handle = 0;
};

/// FIFO of fixed capacity. Thread-bound; allocates at construction only.
class FrameRing {
public:
    static constexpr std::size_t capacity = 1024; ///< frames

    struct Entry {
        PlayoutFrame frame;
        nanoseconds arrival;
        std::uint64_t stream; ///< number of the stream that the frame belongs to
    };
    /// Fill level.
    struct Level {
        std::size_t frames = 0;
        std::size_t bytes = 0;
        nanoseconds time{0};
    };

    [[nodiscard]] const Level &level() const { return level_; }
    [[nodiscard]] std::size_t size() const { return level_.frames; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    /// 0 is the oldest entry.
    Entry &operator[](std::size_t i) { return entries_[(begin_ + i) % capacity]; }
    Entry &front() { return entries_[begin_]; }
    [[nodiscard]] const Entry &front() const { return entries_[begin_]; }
    Entry &back() { return (*this)[size() - 1]; }

    /// There must be room for it.
    void push(const Entry &entry)
    {
        (*this)[level_.frames++] = entry;
        level_.bytes += entry.frame.bytes;
        level_.time += entry.frame.duration;
    }
    /// Removes the oldest entry; there must be one.
    void pop()
    {
        const auto &frame = front().frame;
        level_.bytes -= frame.bytes;
        level_.time -= frame.duration;
        --level_.frames;
        begin_ = (begin_ + 1) % capacity;
    }
    void clear() { level_ = {}; }

private:
    std::vector<Entry> entries_ = std::vector<Entry>(capacity);
    std::size_t begin_ = 0;
    Level level_;
};

} // namespace jkvm
