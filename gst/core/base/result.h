// SPDX-License-Identifier: LGPL-2.1-or-later
// What went wrong, as a value: the core reports errors, it neither throws nor logs them.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace jkvm {

/// What kind of trouble it is. gst/common/element_error.cpp maps each kind to a GStreamer
/// domain and code; that table is the only place where the two meet.
enum class ErrorKind {
    device_missing,     ///< no such sound device
    device_busy,        ///< another program has it
    device_forbidden,   ///< no permission
    device_unsupported, ///< it cannot do the rate, format, channels or period asked for
    device_lost,        ///< it was there and is gone, or fails every read
    path_busy,          ///< a live server holds the socket path
    path_unusable,      ///< the path cannot be bound: too long, a foreign file, no permission ...
    peer_unreachable,   ///< nobody listens at the path, or it refuses
    peer_gone,          ///< the connection ended
    protocol_violation, ///< the peer does not speak this protocol
    encoder_setup,      ///< the codec refused its settings
    encode_failed,      ///< the codec refused a frame
    child_failed,       ///< a child process cannot be started, or ended once too often
    launch_invalid,     ///< a pipeline description that cannot be run
    settings_at_odds,   ///< settings that do nothing or do harm beside each other
    out_of_resources,   ///< no descriptor, thread or memory left
};

struct Error {
    ErrorKind kind;
    std::string subject; ///< the offending value, for the user: a device name, a path
    std::string detail;  ///< for the debug text: the failing call and why
    int errno_value = 0; ///< 0 when no system call is behind it
};

/// The error of a system call or library call, with errno spelled out in `detail`.
Error system_error(ErrorKind kind, std::string subject, const std::string &call, int errno_value);

/// A T or an Error.
template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }
    T &operator*() { return *std::get_if<0>(&state_); }
    T *operator->() { return std::get_if<0>(&state_); }
    /// Only when it is not true.
    const Error &error() const { return *std::get_if<1>(&state_); }

private:
    std::variant<T, Error> state_;
};

struct Done {};
/// The result of something that yields no value.
using Status = Result<Done>;

} // namespace jkvm
