// SPDX-License-Identifier: LGPL-2.1-or-later
// Error values of the core, which neither throws nor logs.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace jkvm {

/// The category of an error. The table in gst/common/element_error.cpp maps each to a GStreamer
/// domain and code.
enum class ErrorKind {
    device_missing,      ///< no such audio device
    device_busy,         ///< the device is in use by another program
    device_forbidden,    ///< no permission to open the device
    device_unsupported,  ///< the device lacks the requested rate, format, channels or period
    device_lost,         ///< the device disappeared or fails every read
    path_busy,           ///< a running server owns the socket path
    path_unusable,       ///< the path cannot be bound: too long, not a socket, no permission
    peer_unreachable,    ///< no server listens at the path, or it refuses the connection
    peer_gone,           ///< the connection ended
    protocol_violation,  ///< the peer does not speak the JetKVM audio protocol
    encoder_setup,       ///< the codec rejected its settings
    encode_failed,       ///< the codec rejected a frame
    child_failed,        ///< a child process ended too often, or could not be started for now
    child_unstartable,   ///< the program of a child process is missing or cannot be executed
    child_incompatible,  ///< a child process sent something other than control messages
    launch_invalid,      ///< a pipeline description is invalid
    request_invalid,     ///< an encoder request has an unknown field or a value out of range
    request_unsupported, ///< the peer's dialect has no message for an encoder request
    settings_conflict,   ///< settings that contradict each other
    out_of_resources,    ///< no descriptor, thread or memory is available
};

/// An error with the texts for its report.
struct Error {
    ErrorKind kind;
    std::string subject; ///< the offending value, for the user text: a device name, a path
    std::string detail;  ///< for the debug text: the failed call and the reason
    int errno_value = 0; ///< 0 if no system call failed
};

/// Returns the error of a failed system or library call; `detail` names the call and its errno.
Error system_error(ErrorKind kind, std::string subject, const std::string &call, int errno_value);

/// Either a T or an Error.
template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }
    T &operator*() { return *std::get_if<0>(&state_); }
    T *operator->() { return std::get_if<0>(&state_); }
    /// Valid only if the result is false.
    const Error &error() const { return *std::get_if<1>(&state_); }

private:
    std::variant<T, Error> state_;
};

struct Done {};
/// The result of an operation without a return value.
using Status = Result<Done>;

} // namespace jkvm
