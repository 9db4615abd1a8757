// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_src_settings.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType on_disconnect_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(OnDisconnect::reconnect), "Reconnect, retrying indefinitely",
         "reconnect"},
        {static_cast<int>(OnDisconnect::eos), "End the stream", "eos"},
        {static_cast<int>(OnDisconnect::error), "Post an error", "error"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcOnDisconnect", values);
    return type;
}

GType timestamp_mode_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(TimestampMode::capture),
         "Capture time sent with the frame, if it is plausible", "capture"},
        {static_cast<int>(TimestampMode::capture_even),
         "As capture, with exact packet durations, for RTP payloaders", "capture-even"},
        {static_cast<int>(TimestampMode::capture_stretched),
         "As capture, but timestamps that the sender stretched by up to 0.5 % stay as they are",
         "capture-stretched"},
        {static_cast<int>(TimestampMode::arrival),
         "Time of arrival minus the duration of the packet", "arrival"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcTimestampMode", values);
    return type;
}

GType client_policy_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(ClientPolicy::replace), "Serve the newest client", "replace"},
        {static_cast<int>(ClientPolicy::reject), "Serve the first client, turn others away",
         "reject"},
        {static_cast<int>(ClientPolicy::queue),
         "Serve one client after the other, let the others wait for their turn", "queue"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcClientPolicy", values);
    return type;
}

} // namespace

const PropertyTable<IpcSrcSettings> &ipc_src_properties()
{
    using S = IpcSrcSettings;
    static const auto table =
        PropertyTable<S>{
            row("on-disconnect", "On disconnect", "Reaction to the end of the connection",
                OneOf{on_disconnect_get_type()}, mutable_playing, &S::on_disconnect),
            row("timestamp-mode", "Timestamp mode", "Source of a buffer's timestamp",
                OneOf{timestamp_mode_get_type()}, mutable_ready, &S::timestamp_mode),
            row("heartbeat-interval", "Heartbeat interval",
                "Interval at which a Heartbeat is sent to the peer (ms); the connection to a peer "
                "that sends nothing for three intervals is closed. 0 = never",
                between(0ms, 1h), mutable_ready, &S::heartbeat_interval),
            priority_row(&S::priority),
            row("client-policy", "Client policy", "Which client is served, if this element listens",
                OneOf{client_policy_get_type()}, mutable_ready, &S::policy),
        }
            .include(requested_settings_properties(), &S::requested)
            .include(latency_properties(), &S::latency)
            .include(ipc_properties(false), &S::ipc);
    return table;
}

} // namespace jkvm
