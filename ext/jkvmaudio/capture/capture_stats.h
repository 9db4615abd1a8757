// SPDX-License-Identifier: LGPL-2.1-or-later
// The property `stats` of jkvmaudiosrc.
#pragma once

#include "capture/activity.h"
#include "capture/capture_engine.h"
#include "codec/frame_coder.h"

#include "common/packet_pool.h"
#include "core/base/thread_priority.h"

namespace jkvm {

struct CaptureStats {
    Activity activity = Activity::encode;
    nanoseconds unheard_time{0}; ///< time without Activity::encode
    CaptureEngine::Device device;
    CaptureEngine::Counters capture;
    FrameCoder::Stats coding;
    PacketPool::Stats pool;
    EncoderSettings settings; ///< in use
    unsigned channels = 2;    ///< captured
    ThreadPriority::Granted scheduling = ThreadPriority::Granted::normal;
};

/// Transfer full.
GstStructure *make_structure(const CaptureStats &stats);

} // namespace jkvm
