// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be set on jkvmipcsink.
#pragma once

#include "core/ipc/send/frame_sender.h"
#include "ipc_settings.h"

namespace jkvm {

struct IpcSinkSettings {
    /// The id of the element's first property that is no setting.
    static constexpr guint own = IpcSettings::own + 3;

    IpcSettings ipc{true};
    nanoseconds max_queue_time = FrameSender::Config().max_queue_time;
    std::size_t max_clients = FrameSender::Config().max_clients;
    ClientPolicy policy = ClientPolicy::share;

    static void install(GObjectClass *klass);
    /// False: not one of these properties.
    bool set(guint id, const GValue *value);
    bool get(guint id, GValue *value) const;
};

} // namespace jkvm
