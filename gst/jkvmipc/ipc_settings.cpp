// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_settings.h"

#include "common/properties.h"

#include <grp.h>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType direction_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(wire::Direction::output),
         "Sound of the controlled machine, to the browser", "output"},
        {static_cast<int>(wire::Direction::microphone),
         "The browser's microphone, to the controlled machine", "microphone"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcDirection", values);
    return type;
}

GType mode_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(Mode::automatic),
         "The output sink and the microphone source listen, the others connect", "auto"},
        {static_cast<int>(Mode::listen), "Listen at the path", "listen"},
        {static_cast<int>(Mode::connect), "Connect to the path", "connect"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcMode", values);
    return type;
}

constexpr int automatic_dialect = -1;

const GEnumValue dialects[] = {
    {automatic_dialect, "Recognised from the first message", "auto"},
    {static_cast<int>(wire::Dialect::v1), "17-byte header, no OpusConfig", "v1"},
    {static_cast<int>(wire::Dialect::v2), "17-byte header (September 2025)", "v2"},
    {static_cast<int>(wire::Dialect::v3), "9-byte header without a timestamp (October 2025)", "v3"},
    {0, nullptr, nullptr},
};

GType dialect_get_type(bool is_sink)
{
    if (is_sink) {
        // One has to speak first; there is nothing to recognise.
        static const GType type = register_enum("GstJkvmIpcSinkDialect", dialects + 1);
        return type;
    }
    static const GType type = register_enum("GstJkvmIpcSrcDialect", dialects);
    return type;
}

int default_dialect(bool is_sink)
{
    return is_sink ? static_cast<int>(wire::Dialect::v1) : automatic_dialect;
}

std::optional<gid_t> find_group(const std::string &name)
{
    std::vector<char> buffer(16384);
    group entry{};
    group *found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr)
        return std::nullopt;
    return entry.gr_gid;
}

/// Where JetKVM's processes meet.
std::string default_path(wire::Direction direction)
{
    const bool is_output = direction == wire::Direction::output;
    const char *environment =
        g_getenv(is_output ? "JETKVM_AUDIO_OUTPUT_SOCKET" : "JETKVM_AUDIO_INPUT_SOCKET");
    if (environment != nullptr && *environment != '\0')
        return environment;
    return is_output ? "/var/run/audio_output.sock" : "/var/run/audio_input.sock";
}

} // namespace

IpcSettings::IpcSettings(bool is_sink) : is_sink_(is_sink), dialect_(default_dialect(is_sink)) {}

void IpcSettings::install(GObjectClass *klass, bool is_sink)
{
    g_object_class_install_property(
        klass, socket_path,
        g_param_spec_string(
            "socket-path", "Socket path",
            "Path of the Unix socket, at most 107 bytes; @NAME is an abstract one. Unset: the "
            "environment's JETKVM_AUDIO_OUTPUT_SOCKET or JETKVM_AUDIO_INPUT_SOCKET, else "
            "/var/run/audio_output.sock or audio_input.sock, by direction (since 0.1)",
            nullptr, mutable_ready));
    g_object_class_install_property(
        klass, direction,
        g_param_spec_enum("direction", "Direction", "Which way the sound goes (since 0.1)",
                          direction_get_type(), static_cast<int>(wire::Direction::output),
                          mutable_ready));
    g_object_class_install_property(
        klass, mode,
        g_param_spec_enum("mode", "Mode", "Whether this end listens or connects (since 0.1)",
                          mode_get_type(), static_cast<int>(Mode::automatic), mutable_ready));
    g_object_class_install_property(
        klass, dialect,
        g_param_spec_enum("dialect", "Dialect", "Form of the protocol (since 0.1)",
                          dialect_get_type(is_sink), default_dialect(is_sink), mutable_ready));
    g_object_class_install_property(
        klass, buffer_size,
        g_param_spec_int(
            "socket-buffer-size", "Socket buffer size",
            "SO_SNDBUF and SO_RCVBUF of each connection in bytes; the statistics say what "
            "the kernel made of it (since 0.1)",
            32768, 262144, Endpoint().buffer_size, mutable_ready));
    g_object_class_install_property(
        klass, socket_mode,
        g_param_spec_uint(
            "socket-mode", "Socket mode",
            "File mode of a socket that is listened on: who may connect; 384 is octal "
            "0600 (since 0.1)",
            0, 0777, Endpoint().mode, mutable_ready));
    g_object_class_install_property(
        klass, socket_group,
        g_param_spec_string(
            "socket-group", "Socket group",
            "Group that owns a socket that is listened on; unset = the process's own "
            "(since 0.1)",
            nullptr, mutable_ready));
    g_object_class_install_property(
        klass, allowed_uids,
        gst_param_spec_array(
            "allowed-uids", "Allowed user ids",
            "User ids that may connect to a socket that is listened on, beside our own; empty = "
            "whoever the file mode lets in (since 0.1)",
            g_param_spec_uint("uid", "User id", "User id", 0, G_MAXUINT, 0, mutable_ready),
            mutable_ready));
    g_object_class_install_property(klass, stats_interval, StatsReport::property());
}

bool IpcSettings::set(guint id, const GValue *value)
{
    switch (id) {
    case socket_path: {
        const char *path = g_value_get_string(value);
        socket_path_ = path != nullptr ? path : "";
        return true;
    }
    case direction:
        direction_ = static_cast<wire::Direction>(g_value_get_enum(value));
        return true;
    case mode:
        mode_ = static_cast<Mode>(g_value_get_enum(value));
        return true;
    case dialect:
        dialect_ = g_value_get_enum(value);
        return true;
    case buffer_size:
        buffer_size_ = g_value_get_int(value);
        return true;
    case socket_mode:
        socket_mode_ = g_value_get_uint(value);
        return true;
    case socket_group: {
        const char *group = g_value_get_string(value);
        socket_group_ = group != nullptr ? group : "";
        return true;
    }
    case allowed_uids:
        allowed_uids_.clear();
        for (guint i = 0; i < gst_value_array_get_size(value); ++i)
            allowed_uids_.push_back(g_value_get_uint(gst_value_array_get_value(value, i)));
        return true;
    case stats_interval:
        report_interval_ = std::chrono::milliseconds(g_value_get_uint(value));
        return true;
    default:
        return false;
    }
}

bool IpcSettings::get(guint id, GValue *value) const
{
    switch (id) {
    case socket_path:
        g_value_set_string(value, socket_path_.empty() ? nullptr : socket_path_.c_str());
        return true;
    case direction:
        g_value_set_enum(value, static_cast<int>(direction_));
        return true;
    case mode:
        g_value_set_enum(value, static_cast<int>(mode_));
        return true;
    case dialect:
        g_value_set_enum(value, dialect_);
        return true;
    case buffer_size:
        g_value_set_int(value, buffer_size_);
        return true;
    case socket_mode:
        g_value_set_uint(value, socket_mode_);
        return true;
    case socket_group:
        g_value_set_string(value, socket_group_.empty() ? nullptr : socket_group_.c_str());
        return true;
    case allowed_uids:
        for (const auto uid : allowed_uids_) {
            GValue entry = G_VALUE_INIT;
            g_value_init(&entry, G_TYPE_UINT);
            g_value_set_uint(&entry, uid);
            gst_value_array_append_and_take_value(value, &entry);
        }
        return true;
    case stats_interval:
        g_value_set_uint(value, static_cast<guint>(report_interval_ / 1ms));
        return true;
    default:
        return false;
    }
}

std::optional<wire::Dialect> IpcSettings::spoken_dialect() const
{
    if (dialect_ == automatic_dialect)
        return std::nullopt;
    return static_cast<wire::Dialect>(dialect_);
}

Result<Endpoint> IpcSettings::endpoint() const
{
    const bool listens_by_default = is_sink_ == (direction_ == wire::Direction::output);
    const bool is_listening = mode_ == Mode::automatic ? listens_by_default : mode_ == Mode::listen;
    Endpoint endpoint{.path = socket_path_.empty() ? default_path(direction_) : socket_path_,
                      .role = is_listening ? Role::listen : Role::connect,
                      .direction = direction_,
                      .buffer_size = buffer_size_,
                      .mode = socket_mode_,
                      .allowed_uids = allowed_uids_};
    if (!socket_group_.empty()) {
        endpoint.group = find_group(socket_group_);
        if (!endpoint.group)
            return Error{ErrorKind::path_unusable, endpoint.path,
                         "there is no group \"" + socket_group_ + "\""};
    }
    return endpoint;
}

} // namespace jkvm
