// SPDX-License-Identifier: LGPL-2.1-or-later
// A second connection between two jkvm elements, beside the one that speaks JetKVM's protocol.
#pragma once

#include "core/base/unique_fd.h"
#include "core/wire/side_message.h"

#include <sys/uio.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace jkvm {

/// One end of a pair of connected sockets that preserve the boundaries of messages. The sender of
/// frames attaches the other end to the first message of a connection (SCM_RIGHTS): a peer that
/// reads with recvmsg() obtains it, for any other peer the kernel closes it. Never blocks.
class SideChannel {
public:
    struct Pair;
    /// Returns nothing if the process has no descriptors left.
    static std::optional<Pair> make_pair();
    /// Takes over a descriptor that a peer sent. Returns nothing, and closes it, if it is not one
    /// end of such a pair.
    static std::optional<SideChannel> adopt(UniqueFd fd);

    SideChannel(SideChannel &&) noexcept = default;
    SideChannel &operator=(SideChannel &&other) noexcept;
    ~SideChannel() { shut_down(); }

    [[nodiscard]] int fd() const { return fd_.get(); }

    enum class Outcome {
        done,
        retry,  ///< nothing to read, or the peer has not read enough to accept more
        closed, ///< by the peer
    };
    /// Sends one message.
    Outcome send(std::span<const std::byte> message);
    /// Receives one message. Descriptors that the peer attached to it are closed.
    Outcome receive(wire::SideMessage &message);

private:
    explicit SideChannel(UniqueFd fd) : fd_(std::move(fd)) {}
    /// A forked child may hold a copy of the descriptor, so closing it is not enough.
    void shut_down();

    UniqueFd fd_;
};

struct SideChannel::Pair {
    SideChannel own;
    UniqueFd other; ///< to be sent to the peer
};

/// As sendmsg() without blocking or a signal. `descriptor`: attached to the first byte, if any is
/// sent; -1 = none.
ssize_t send_with_descriptor(int fd, std::span<iovec> parts, int descriptor);
/// As recv() without blocking. Stores a side channel that the peer attached, unless there is one
/// already; other descriptors are closed.
ssize_t receive_with_side_channel(int fd, std::span<std::byte> space,
                                  std::optional<SideChannel> &channel);

} // namespace jkvm
