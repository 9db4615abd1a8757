// SPDX-License-Identifier: LGPL-2.1-or-later
#include "frame_pool.h"

#include "common/mapped_buffer.h"

#include <cstring>

namespace jkvm {

namespace {

// The largest packet of 20 ms. Those that last longer may be larger, and are not worth the memory.
constexpr guint buffer_size = 1275;
// Enough for a pipeline that hands buffers on at once; more are made when more are held.
constexpr guint ready_made = 4;

} // namespace

FramePool::FramePool()
    : pool_(GstRef<GstBufferPool>::adopt(gst_buffer_pool_new())),
      unix_time_(GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("timestamp/x-unix")))
{
    GstStructure *config = gst_buffer_pool_get_config(pool_.get());
    gst_buffer_pool_config_set_params(config, nullptr, buffer_size, ready_made, 0);
    gst_buffer_pool_set_config(pool_.get(), config);
    gst_buffer_pool_set_active(pool_.get(), TRUE);
}

FramePool::~FramePool()
{
    // Buffers in use come back to it and are freed then.
    if (pool_)
        gst_buffer_pool_set_active(pool_.get(), FALSE);
}

GstRef<GstBuffer> FramePool::make(std::span<const std::byte> packet,
                                  std::optional<WallTime> captured, nanoseconds duration)
{
    GstBuffer *made = nullptr;
    if (packet.size() <= buffer_size &&
        gst_buffer_pool_acquire_buffer(pool_.get(), &made, nullptr) == GST_FLOW_OK) {
        // In one go, which the compiler does not make of a copy of spans.
        std::memcpy(MappedBuffer(made, GST_MAP_WRITE).bytes().data(), packet.data(), packet.size());
        set_used_size(made, packet.size());
    } else {
        made = gst_buffer_new_memdup(packet.data(), packet.size());
    }
    // Of the packet that was in it before.
    auto *meta = gst_buffer_get_reference_timestamp_meta(made, nullptr);
    if (captured && *captured > WallTime{}) {
        const auto time = static_cast<GstClockTime>(captured->time_since_epoch().count());
        const auto length = static_cast<GstClockTime>(duration.count());
        if (meta == nullptr) {
            meta = gst_buffer_add_reference_timestamp_meta(made, unix_time_.get(), time, length);
            // It stays for the next packet.
            meta->parent.flags =
                static_cast<GstMetaFlags>(meta->parent.flags | GST_META_FLAG_POOLED);
        } else {
            meta->timestamp = time;
            meta->duration = length;
        }
    } else if (meta != nullptr) {
        gst_buffer_remove_meta(made, &meta->parent);
    }
    return GstRef<GstBuffer>::adopt(made);
}

} // namespace jkvm
