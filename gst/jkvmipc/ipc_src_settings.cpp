// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_src_settings.h"

#include "common/properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

enum Property : guint {
    property_on_disconnect = IpcSettings::own,
    property_timestamp_mode,
    property_heartbeat_interval,
    property_count,
};
static_assert(property_count == IpcSrcSettings::own);

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

void IpcSrcSettings::install(GObjectClass *klass)
{
    IpcSettings::install(klass, false);
    g_object_class_install_property(
        klass, property_on_disconnect,
        g_param_spec_enum(
            "on-disconnect", "On disconnect", "What to do when the connection ends (since 0.1)",
            on_disconnect_get_type(), static_cast<int>(OnDisconnect::reconnect), mutable_playing));
    g_object_class_install_property(
        klass, property_timestamp_mode,
        g_param_spec_enum("timestamp-mode", "Timestamp mode",
                          "What a buffer's timestamp is made from (since 0.1)",
                          timestamp_mode_get_type(), static_cast<int>(TimestampMode::capture),
                          mutable_ready));
    g_object_class_install_property(
        klass, property_heartbeat_interval,
        g_param_spec_uint(
            "heartbeat-interval", "Heartbeat interval",
            "How often a Heartbeat is sent to the other end, in milliseconds; a peer from which "
            "nothing came for three intervals is given up. 0 = never (since 0.1)",
            0, 3600000, 0, mutable_ready));
}

bool IpcSrcSettings::set(guint id, const GValue *value)
{
    switch (id) {
    case property_on_disconnect:
        on_disconnect = static_cast<OnDisconnect>(g_value_get_enum(value));
        return true;
    case property_timestamp_mode:
        timestamp_mode = static_cast<TimestampMode>(g_value_get_enum(value));
        return true;
    case property_heartbeat_interval:
        heartbeat_interval = std::chrono::milliseconds(g_value_get_uint(value));
        return true;
    default:
        return ipc.set(id, value);
    }
}

bool IpcSrcSettings::get(guint id, GValue *value) const
{
    switch (id) {
    case property_on_disconnect:
        g_value_set_enum(value, static_cast<int>(on_disconnect));
        return true;
    case property_timestamp_mode:
        g_value_set_enum(value, static_cast<int>(timestamp_mode));
        return true;
    case property_heartbeat_interval:
        g_value_set_uint(value, static_cast<guint>(heartbeat_interval / 1ms));
        return true;
    default:
        return ipc.get(id, value);
    }
}

} // namespace jkvm
