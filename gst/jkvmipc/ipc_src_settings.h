// SPDX-License-Identifier: LGPL-2.1-or-later
// The settings of jkvmipcsrc.
#pragma once

#include "common/latency_message.h"
#include "common/stream_priority.h"
#include "core/ipc/receive/received_stream.h"
#include "core/ipc/socket/client_policy.h"
#include "ipc_settings.h"
#include "requested_settings.h"

namespace jkvm {

enum class OnDisconnect { reconnect, eos, error };

struct IpcSrcSettings {
    IpcSettings ipc{false};
    OnDisconnect on_disconnect = OnDisconnect::reconnect;
    TimestampMode timestamp_mode = TimestampMode::capture;
    nanoseconds heartbeat_interval{0}; ///< 0 = never
    int priority = default_priority;
    ClientPolicy policy = ClientPolicy::replace;
    RequestedSettings requested;
    LatencyThresholds latency;
};

const PropertyTable<IpcSrcSettings> &ipc_src_properties();

} // namespace jkvm
