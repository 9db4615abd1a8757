// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_sink_settings.h"

#include "common/properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

enum Property : guint {
    property_max_queue_time = IpcSettings::own,
    property_max_clients,
    property_client_policy,
    property_count,
};
static_assert(property_count == IpcSinkSettings::own);

GType client_policy_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(ClientPolicy::share), "Serve up to max-clients, turn more away", "share"},
        {static_cast<int>(ClientPolicy::replace), "Serve the newest alone", "replace"},
        {static_cast<int>(ClientPolicy::reject), "Serve the first alone", "reject"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSinkClientPolicy", values);
    return type;
}

} // namespace

void IpcSinkSettings::install(GObjectClass *klass)
{
    IpcSettings::install(klass, true);
    g_object_class_install_property(
        klass, property_max_queue_time,
        g_param_spec_uint(
            "max-queue-time", "Maximum queue time",
            "How much sound may wait for a client in milliseconds, the kernel's socket buffer "
            "included; two frames may always wait (since 0.1)",
            20, 10000, static_cast<guint>(FrameSender::Config().max_queue_time / 1ms),
            mutable_ready));
    g_object_class_install_property(
        klass, property_max_clients,
        g_param_spec_uint(
            "max-clients", "Maximum clients",
            "How many clients are served at once with client-policy=share (since 0.1)", 1, 1024,
            static_cast<guint>(FrameSender::Config().max_clients), mutable_ready));
    g_object_class_install_property(
        klass, property_client_policy,
        g_param_spec_enum("client-policy", "Client policy", "Whom to serve (since 0.1)",
                          client_policy_get_type(), static_cast<int>(ClientPolicy::share),
                          mutable_ready));
}

bool IpcSinkSettings::set(guint id, const GValue *value)
{
    switch (id) {
    case property_max_queue_time:
        max_queue_time = std::chrono::milliseconds(g_value_get_uint(value));
        return true;
    case property_max_clients:
        max_clients = g_value_get_uint(value);
        return true;
    case property_client_policy:
        policy = static_cast<ClientPolicy>(g_value_get_enum(value));
        return true;
    default:
        return ipc.set(id, value);
    }
}

bool IpcSinkSettings::get(guint id, GValue *value) const
{
    switch (id) {
    case property_max_queue_time:
        g_value_set_uint(value, static_cast<guint>(max_queue_time / 1ms));
        return true;
    case property_max_clients:
        g_value_set_uint(value, static_cast<guint>(max_clients));
        return true;
    case property_client_policy:
        g_value_set_enum(value, static_cast<int>(policy));
        return true;
    default:
        return ipc.get(id, value);
    }
}

} // namespace jkvm
