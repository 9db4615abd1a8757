// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be set on jkvmipcsrc.
#pragma once

#include "core/ipc/receive/received_stream.h"
#include "ipc_settings.h"

namespace jkvm {

enum class OnDisconnect { reconnect, eos, error };

struct IpcSrcSettings {
    /// The id of the element's first property that is no setting.
    static constexpr guint own = IpcSettings::own + 3;

    IpcSettings ipc{false};
    OnDisconnect on_disconnect = OnDisconnect::reconnect;
    TimestampMode timestamp_mode = TimestampMode::capture;
    nanoseconds heartbeat_interval{0}; ///< 0 = never

    static void install(GObjectClass *klass);
    /// False: not one of these properties.
    bool set(guint id, const GValue *value);
    bool get(guint id, GValue *value) const;
};

} // namespace jkvm
