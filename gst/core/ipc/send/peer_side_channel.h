// SPDX-License-Identifier: LGPL-2.1-or-later
// The sender's end of the side channel to one peer: requests arrive, the source's state is sent.
#pragma once

#include "core/ipc/send/event_poll.h"
#include "core/ipc/send/peer.h"
#include "core/ipc/socket/side_channel.h"

#include <cstdint>
#include <optional>

namespace jkvm {

/// Not thread-safe: like the Peer, it belongs to a sender that holds its lock.
class PeerSideChannel {
public:
    /// The source's state; the number increases with each change.
    struct VersionedState {
        wire::SourceState state;
        std::uint64_t version = 1;
    };

    /// Attaches the other end to the peer's first message. Without a free descriptor the channel is
    /// closed from the start. `token`: of the poll.
    void open(EventPoll &poll, std::uint64_t token, Peer &peer);
    void close(EventPoll &poll);
    /// Until the peer closes it, as the kernel does for a peer that does not take it.
    [[nodiscard]] bool is_open() const { return channel_.has_value(); }

    /// Sends the state if this version was not sent yet. If the peer has not read enough to accept
    /// it, on_writable() has to be called with the latest state.
    void send_state(EventPoll &poll, const VersionedState &source);
    void on_writable(EventPoll &poll, const VersionedState &source);
    /// Whether send_state() has something to send to a peer that can accept it.
    [[nodiscard]] bool is_state_due(const VersionedState &source) const
    {
        return is_open() && !is_writable_awaited_ && sent_version_ != source.version;
    }

    struct ReadResult {
        std::optional<wire::SettingsRequest> request; ///< the last one that arrived
        bool is_closed = false;
    };
    /// Reads the waiting messages.
    ReadResult receive();

private:
    void await_writable(EventPoll &poll, bool is_awaited);

    std::optional<SideChannel> channel_;
    std::uint64_t token_ = 0;
    std::uint64_t sent_version_ = 0;
    bool is_writable_awaited_ = false;
};

} // namespace jkvm
