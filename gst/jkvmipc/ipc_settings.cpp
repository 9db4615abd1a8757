// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_settings.h"

#include <grp.h>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType direction_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(wire::Direction::output),
         "Audio of the controlled machine, to the browser", "output"},
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

constexpr GEnumValue v1_value{static_cast<int>(wire::Dialect::v1), "17-byte header, no OpusConfig",
                              "v1"};
constexpr GEnumValue v2_value{static_cast<int>(wire::Dialect::v2),
                              "17-byte header (September 2025)", "v2"};
constexpr GEnumValue v3_value{static_cast<int>(wire::Dialect::v3),
                              "9-byte header without a timestamp (October 2025)", "v3"};
constexpr GEnumValue end_value{0, nullptr, nullptr};

GType dialect_get_type(bool is_sink)
{
    if (is_sink) {
        // A sink sends the first message, so it cannot recognise the peer's dialect.
        static const GEnumValue values[] = {
            {automatic_dialect, "That of JetKVM's clients: v1", "auto"},
            v1_value,
            v2_value,
            v3_value,
            end_value};
        static const GType type = register_enum("GstJkvmIpcSinkDialect", values);
        return type;
    }
    static const GEnumValue values[] = {
        {automatic_dialect, "Recognised from the first message", "auto"},
        v1_value,
        v2_value,
        v3_value,
        end_value};
    static const GType type = register_enum("GstJkvmIpcSrcDialect", values);
    return type;
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

/// Returns the socket path that JetKVM's own processes use.
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

IpcSettings::IpcSettings(bool sink) : is_sink(sink), dialect(automatic_dialect) {}

PropertyTable<IpcSettings> ipc_properties(bool is_sink)
{
    using S = IpcSettings;
    return {
        row("socket-path", "Socket path",
            "Path of the Unix socket, at most 107 bytes; @NAME is an abstract socket. Unset = "
            "JETKVM_AUDIO_OUTPUT_SOCKET or JETKVM_AUDIO_INPUT_SOCKET from the environment, else "
            "/var/run/audio_output.sock or audio_input.sock, by direction",
            AnyValue{}, mutable_ready, &S::socket_path),
        row("direction", "Direction", "Which audio stream of the device the socket carries",
            OneOf{direction_get_type()}, mutable_ready, &S::direction),
        row("mode", "Mode", "Whether this element listens or connects", OneOf{mode_get_type()},
            mutable_ready, &S::mode),
        row("dialect", "Dialect", "Dialect of the protocol", OneOf{dialect_get_type(is_sink)},
            mutable_ready, &S::dialect),
        row("socket-buffer-size", "Socket buffer size",
            "SO_SNDBUF and SO_RCVBUF requested for each connection (bytes); the granted sizes are "
            "in the statistics",
            between(32768, 262144), mutable_ready, &S::buffer_size),
        row("socket-mode", "Socket mode",
            "File mode of a listening socket, which decides who may connect; 384 is octal 0600",
            between(0U, 0777U), mutable_ready, &S::socket_mode),
        row("socket-group", "Socket group",
            "Group that owns a listening socket; unset = the group of the process", AnyValue{},
            mutable_ready, &S::socket_group),
        row("allowed-uids", "Allowed user ids",
            "User ids that a client or server may have, besides the user id of this process; "
            "empty = every user that the file mode admits",
            AnyValue{}, mutable_ready, &S::allowed_uids),
        row("mute", "Mute", "Whether to replace the audio by coded silence", AnyValue{},
            mutable_playing, &S::mute),
        stats_interval_row(&S::report_interval),
    };
}

std::optional<wire::Dialect> IpcSettings::fixed_dialect() const
{
    if (dialect == automatic_dialect)
        return is_sink ? std::optional(wire::Dialect::v1) : std::nullopt;
    return static_cast<wire::Dialect>(dialect);
}

Result<Endpoint> IpcSettings::endpoint() const
{
    const bool listens_by_default = is_sink == (direction == wire::Direction::output);
    const bool is_listening = mode == Mode::automatic ? listens_by_default : mode == Mode::listen;
    Endpoint endpoint{.path = socket_path.empty() ? default_path(direction) : socket_path,
                      .role = is_listening ? Role::listen : Role::connect,
                      .direction = direction,
                      .buffer_size = buffer_size,
                      .mode = socket_mode,
                      .allowed_uids = allowed_uids};
    if (!socket_group.empty()) {
        endpoint.group = find_group(socket_group);
        if (!endpoint.group)
            return Error{ErrorKind::path_unusable, endpoint.path,
                         "there is no group \"" + socket_group + "\""};
    }
    return endpoint;
}

} // namespace jkvm
