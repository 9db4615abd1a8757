// SPDX-License-Identifier: LGPL-2.1-or-later
// The two ends of what is measured: as elements, or as a bare socket.
#pragma once

#include "benchmarks/ipc/messages.h"

#include <memory>
#include <string>
#include <vector>

namespace jkvm::benchmark {

/// Sends from a thread of its own until there is no more to send.
class SendingEnd {
public:
    virtual ~SendingEnd() = default;
};

/// Gives each listener what comes, from a thread of its own.
class ReceivingEnd {
public:
    virtual ~ReceivingEnd() = default;
};

/// How messages get from one process to the other. Made before the fork; failures throw.
class Transport {
public:
    virtual ~Transport() = default;
    /// In the sending process. It serves when this returns.
    virtual std::unique_ptr<SendingEnd> serve(unsigned stream, MessageWriter &writer) = 0;
    /// In the receiving process, when all is served.
    virtual std::unique_ptr<ReceivingEnd> listen(unsigned stream, Listener &listener) = 0;
};

/// `name`: jkvm, shm, tcp, fd or raw; anything else throws. Sockets are made in `directory`.
std::unique_ptr<Transport> make_transport(const std::string &name, const Plan &plan,
                                          Exchange &exchange, const std::string &directory);

/// As bare system calls on a Unix socket: what every transport has to do at least.
std::unique_ptr<Transport> make_raw_transport(const Plan &plan, const std::string &directory);

} // namespace jkvm::benchmark
