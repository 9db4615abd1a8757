// SPDX-License-Identifier: LGPL-2.1-or-later
// The sender and the receiver of an IPC benchmark, made of elements or of raw sockets.
#pragma once

#include "benchmarks/ipc/messages.h"

#include <memory>
#include <string>
#include <vector>

namespace jkvm::benchmark {

/// Sends from its own thread until the writer has no more messages.
class SendingEnd {
public:
    virtual ~SendingEnd() = default;
};

/// Passes received messages to its listener, from its own thread.
class ReceivingEnd {
public:
    virtual ~ReceivingEnd() = default;
};

/// A way to pass messages from one process to another. Created before the fork; failures throw.
class Transport {
public:
    virtual ~Transport() = default;
    /// Starts to serve a stream, in the sending process. Receivers may connect when this returns.
    virtual std::unique_ptr<SendingEnd> serve(unsigned stream, MessageWriter &writer) = 0;
    /// Connects to a stream, in the receiving process, once all streams are served.
    virtual std::unique_ptr<ReceivingEnd> listen(unsigned stream, Listener &listener) = 0;
};

/// `name` is jkvm, shm, tcp, fd or raw; others throw. Sockets are created in `directory`.
std::unique_ptr<Transport> make_transport(const std::string &name, const Plan &plan,
                                          Exchange &exchange, const std::string &directory);

/// Returns a transport made of system calls on a Unix socket, the lower bound for all transports.
std::unique_ptr<Transport> make_raw_transport(const Plan &plan, const std::string &directory);

} // namespace jkvm::benchmark
