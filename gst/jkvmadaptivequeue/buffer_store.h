// SPDX-License-Identifier: LGPL-2.1-or-later
// Owns the queued buffers under consecutive numbers, which are their handles in Playout.
#pragma once

#include "common/gst_ref.h"
#include "core/playout/frame_ring.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace jkvm {

/// Playout queues at most FrameRing::capacity frames, so the numbers of stored buffers are distinct
/// modulo the capacity. Thread-bound; allocates at construction only.
class BufferStore {
public:
    /// Number that the next buffer will have.
    [[nodiscard]] std::uint64_t next() const { return next_; }
    void put(GstRef<GstBuffer> buffer) { slot(next_++) = std::move(buffer); }
    /// The buffer must be stored.
    [[nodiscard]] GstRef<GstBuffer> take(std::uint64_t number) { return std::move(slot(number)); }
    void clear() { buffers_.assign(FrameRing::capacity, {}); }

private:
    GstRef<GstBuffer> &slot(std::uint64_t number) { return buffers_[number % buffers_.size()]; }

    std::vector<GstRef<GstBuffer>> buffers_ = std::vector<GstRef<GstBuffer>>(FrameRing::capacity);
    std::uint64_t next_ = 0;
};

} // namespace jkvm
