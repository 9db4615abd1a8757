// SPDX-License-Identifier: LGPL-2.1-or-later
// Receives frames from a server and connects again when it is gone: the engine of jkvmipcsrc.
#pragma once

#include "core/base/result.h"
#include "core/ipc/backoff.h"
#include "core/ipc/unique_fd.h"
#include "core/ipc/wait_control.h"
#include "core/wire/parser.h"

#include <string>

namespace jkvm {

/// Thread-bound to the one that calls wait(), but for interrupt(), resume() and restart().
class FrameClient {
public:
    struct Config {
        std::string path;
        wire::Format format;
        nanoseconds first_pause = std::chrono::milliseconds(50);
        nanoseconds longest_pause = std::chrono::seconds(2);
        std::uint32_t seed = 1; ///< of the jitter of the pauses
    };

    enum class Event {
        message,      ///< message() has it
        connected,    ///< a connection is there
        unreachable,  ///< one try failed; the next wait() goes on trying after a pause
        disconnected, ///< the connection is gone; the next wait() tries to connect
        interrupted,  ///< interrupt() was called
    };

    explicit FrameClient(Config config);

    /// Blocks until one of the events.
    Event wait();
    /// After Event::message; the payload is valid until the next wait().
    [[nodiscard]] const wire::Message &message() const { return message_; }
    /// After Event::unreachable and Event::disconnected: why.
    [[nodiscard]] const Error &error() const { return error_; }

    /// Any thread: wait() returns Event::interrupted at once, until resume().
    void interrupt() { control_.interrupt(); }
    void resume() { control_.resume(); }
    /// Any thread: what was sent by now is not wanted. wait() gives the connection up and makes a
    /// new one, which starts with a new frame.
    void restart() { control_.ask_restart(); }

private:
    Event wait_for_message();
    Event wait_for_connection();
    Event connect();
    Event lose_connection(Error error);
    /// False when the control has something to say.
    bool sleep_until_next_try();

    Config config_;
    WaitControl control_;
    Backoff backoff_;
    MonotonicTime next_try_{};
    UniqueFd connection_;
    wire::Parser parser_;
    wire::Message message_;
    Error error_{ErrorKind::peer_unreachable, {}, {}};
};

} // namespace jkvm
