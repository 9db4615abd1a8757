// SPDX-License-Identifier: LGPL-2.1-or-later
// Holds the newest frames while a connection is being established.
#pragma once

#include "core/base/time.h"

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

namespace jkvm {

/// Bounded by the duration of the frames and by their age. Not thread-safe.
class FrameHold {
public:
    struct HeldFrame {
        std::vector<std::byte> packet;
        WallTime captured;
        nanoseconds duration;
        MonotonicTime added;
    };

    /// `limit`: maximum duration and age; 0 = holds nothing.
    explicit FrameHold(nanoseconds limit) : limit_(limit) {}

    /// Adds a frame and drops the oldest ones that exceed the limit. Returns how many were dropped.
    std::size_t add(std::span<const std::byte> packet, WallTime captured, nanoseconds duration,
                    MonotonicTime now);
    /// Drops the frames that are too old. Returns how many.
    std::size_t expire(MonotonicTime now);
    /// Removes and returns all frames, oldest first.
    std::deque<HeldFrame> take();
    [[nodiscard]] std::size_t size() const { return frames_.size(); }

private:
    void drop_oldest();

    nanoseconds limit_;
    std::deque<HeldFrame> frames_;
    nanoseconds duration_{0}; // of all frames
};

} // namespace jkvm
