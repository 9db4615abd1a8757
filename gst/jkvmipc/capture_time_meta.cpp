// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture_time_meta.h"

namespace jkvm {

CaptureTimeMeta::CaptureTimeMeta()
    : unix_time_(GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("timestamp/x-unix")))
{}

void CaptureTimeMeta::set(GstBuffer *buffer, std::optional<WallTime> captured,
                          nanoseconds duration) const
{
    // Left by the previous packet in a pooled buffer.
    auto *meta = gst_buffer_get_reference_timestamp_meta(buffer, nullptr);
    if (!captured || *captured <= WallTime{}) {
        if (meta != nullptr)
            gst_buffer_remove_meta(buffer, &meta->parent);
        return;
    }
    const auto time = static_cast<GstClockTime>(captured->time_since_epoch().count());
    const auto length = static_cast<GstClockTime>(duration.count());
    if (meta == nullptr) {
        meta = gst_buffer_add_reference_timestamp_meta(buffer, unix_time_.get(), time, length);
        // Kept for the next packet.
        meta->parent.flags = static_cast<GstMetaFlags>(meta->parent.flags | GST_META_FLAG_POOLED);
    } else {
        meta->timestamp = time;
        meta->duration = length;
    }
}

} // namespace jkvm
