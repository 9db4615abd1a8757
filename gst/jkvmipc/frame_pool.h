// SPDX-License-Identifier: LGPL-2.1-or-later
// Buffers for received packets that are used again and again.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <cstddef>
#include <optional>
#include <span>

namespace jkvm {

/// Thread-bound; the buffers come back from any thread.
class FramePool {
public:
    FramePool();
    FramePool(FramePool &&) = default;
    FramePool &operator=(FramePool &&) = delete;
    ~FramePool();

    /// A buffer with a copy of the packet, and with the sender's capture time, if there is one, as
    /// a GstReferenceTimestampMeta.
    GstRef<GstBuffer> make(std::span<const std::byte> packet, std::optional<WallTime> captured,
                           nanoseconds duration);

private:
    GstRef<GstBufferPool> pool_; // empty when it was moved
    GstRef<GstCaps> unix_time_;  // what the capture time counts from
};

} // namespace jkvm
