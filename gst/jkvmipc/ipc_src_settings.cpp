// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_src_settings.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType on_disconnect_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(OnDisconnect::reconnect), "Connect again, for ever", "reconnect"},
        {static_cast<int>(OnDisconnect::eos), "End the stream", "eos"},
        {static_cast<int>(OnDisconnect::error), "Stop with an error", "error"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcOnDisconnect", values);
    return type;
}

GType timestamp_mode_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(TimestampMode::capture),
         "When the sender captured it, where that is sent and plausible", "capture"},
        {static_cast<int>(TimestampMode::arrival), "When it arrived, less its duration", "arrival"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcTimestampMode", values);
    return type;
}

} // namespace

const PropertyTable<IpcSrcSettings> &ipc_src_properties()
{
    using S = IpcSrcSettings;
    static const auto table =
        PropertyTable<S>{
            row("on-disconnect", "On disconnect",
                "Reaction to the end of the connection (since 0.1)",
                OneOf{on_disconnect_get_type()}, mutable_playing, &S::on_disconnect),
            row("timestamp-mode", "Timestamp mode", "Source of a buffer's timestamp (since 0.1)",
                OneOf{timestamp_mode_get_type()}, mutable_ready, &S::timestamp_mode),
            row("heartbeat-interval", "Heartbeat interval",
                "Interval at which a Heartbeat is sent to the peer (ms); the connection to a peer "
                "that sends nothing for three intervals is closed. 0 = never (since 0.1)",
                between(0ms, 1h), mutable_ready, &S::heartbeat_interval),
        }
            .include(ipc_properties(false), &S::ipc);
    return table;
}

} // namespace jkvm
