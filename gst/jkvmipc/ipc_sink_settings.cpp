// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_sink_settings.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType client_policy_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(ClientPolicy::share),
         "Serve up to max-clients clients, turn away further ones", "share"},
        {static_cast<int>(ClientPolicy::replace), "Serve only the newest client", "replace"},
        {static_cast<int>(ClientPolicy::reject), "Serve only the first client", "reject"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSinkClientPolicy", values);
    return type;
}

} // namespace

const PropertyTable<IpcSinkSettings> &ipc_sink_properties()
{
    using S = IpcSinkSettings;
    static const auto table =
        PropertyTable<S>{
            row("max-queue-time", "Maximum queue time",
                "Maximum duration of the audio queued for a client, including the kernel's socket "
                "buffer (ms); two frames may always be queued",
                between(20ms, 10000ms), mutable_ready, &S::max_queue_time),
            row("hold-time", "Hold time",
                "Maximum duration of the audio that a connecting element with direction=microphone "
                "holds until the connection is established (ms); 0 = none",
                between(0ms, 10000ms), mutable_ready, &S::hold_time),
            row("max-clients", "Maximum clients",
                "Maximum number of clients served at once with client-policy=share",
                between(1U, 1024U), mutable_ready, &S::max_clients),
            row("client-policy", "Client policy", "Which clients are served",
                OneOf{client_policy_get_type()}, mutable_ready, &S::policy),
            row("steering-uids", "Steering user ids",
                "User ids of the clients or servers whose encoder requests count, without that of "
                "this process unless it is named; empty = all",
                AnyValue{}, mutable_ready, &S::steering_uids),
        }
            .include(ipc_properties(true), &S::ipc);
    return table;
}

} // namespace jkvm
