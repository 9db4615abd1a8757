// SPDX-License-Identifier: LGPL-2.1-or-later
#include "quiet_packet_detector.h"

#include "common/mapped_buffer.h"

namespace jkvm {

bool QuietPacketDetector::decode(GstBuffer *packet, nanoseconds duration)
{
    const auto level = level_meter_.measure(MappedBuffer(packet, GST_MAP_READ).bytes());
    return level && detector_.record(*level, duration);
}

void QuietPacketDetector::reset()
{
    level_meter_.reset();
    detector_ = {};
}

} // namespace jkvm
