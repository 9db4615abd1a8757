// SPDX-License-Identifier: LGPL-2.1-or-later
// The settings of jkvmipcsink.
#pragma once

#include "core/ipc/send/frame_sender.h"
#include "ipc_settings.h"

namespace jkvm {

struct IpcSinkSettings {
    IpcSettings ipc{true};
    nanoseconds max_queue_time = FrameSender::Config().max_queue_time;
    nanoseconds hold_time = FrameSender::Config().hold_time;
    std::size_t max_clients = FrameSender::Config().max_clients;
    ClientPolicy policy = ClientPolicy::share;
    std::vector<uid_t> steering_uids;
};

const PropertyTable<IpcSinkSettings> &ipc_sink_properties();

} // namespace jkvm
