// SPDX-License-Identifier: LGPL-2.1-or-later
// The statistics of jkvmipcsrc.
#pragma once

#include "common/packet_pool.h"
#include "core/base/thread_priority.h"
#include "core/ipc/receive/receive_engine.h"

#include <gst/gst.h>

namespace jkvm {

struct IpcSrcStats {
    ReceiveEngine::Stats receive;
    PacketPool::Stats pool;
    std::uint64_t muted = 0; ///< frames replaced by silence
    ThreadPriority::Granted scheduling = ThreadPriority::Granted::normal;
};

/// Returns the structure that the element's documentation describes. Transfer full.
GstStructure *make_structure(const IpcSrcStats &stats);

} // namespace jkvm
