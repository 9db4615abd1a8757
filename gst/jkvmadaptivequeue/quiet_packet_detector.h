// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides which packets can be dropped almost inaudibly, by decoding them.
#pragma once

#include "core/opus/quiet_detector.h"
#include "packet_level_meter.h"

#include <gst/gst.h>

namespace jkvm {

/// Belongs to the upstream streaming thread, apart from the queue's state, so that no lock is held
/// while a packet is decoded.
class QuietPacketDetector {
public:
    /// Decodes the packet and returns whether it is quiet. To be called with consecutive packets;
    /// the first ones are never quiet, see PacketLevelMeter::warm_up.
    bool decode(GstBuffer *packet, nanoseconds duration);
    /// The next packet does not follow the last one that was decoded.
    void on_skipped() { level_meter_.reset(); }
    /// The next packet belongs to another stream.
    void reset();

private:
    PacketLevelMeter level_meter_;
    QuietDetector detector_;
};

} // namespace jkvm
