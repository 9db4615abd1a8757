// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer_side_channel.h"

namespace jkvm {

namespace {

// A peer that sends endlessly must not delay the others.
constexpr int max_messages_per_read = 16;

} // namespace

void PeerSideChannel::open(EventPoll &poll, std::uint64_t token, Peer &peer)
{
    auto pair = SideChannel::make_pair();
    if (!pair || !poll.add(pair->own.fd(), EPOLLIN, token))
        return;
    channel_.emplace(std::move(pair->own));
    token_ = token;
    peer.attach(std::move(pair->other));
}

void PeerSideChannel::close(EventPoll &poll)
{
    if (channel_)
        poll.remove(channel_->fd());
    channel_.reset();
}

void PeerSideChannel::send_state(EventPoll &poll, const VersionedState &source)
{
    if (!is_state_due(source))
        return;
    // If the peer has closed its end, the poll reports it.
    if (channel_->send(wire::encode_side_message(source.state)) == SideChannel::Outcome::retry)
        await_writable(poll, true);
    else
        sent_version_ = source.version;
}

void PeerSideChannel::on_writable(EventPoll &poll, const VersionedState &source)
{
    if (!channel_)
        return;
    await_writable(poll, false);
    send_state(poll, source);
}

void PeerSideChannel::await_writable(EventPoll &poll, bool is_awaited)
{
    is_writable_awaited_ = is_awaited;
    poll.change(channel_->fd(), is_awaited ? EPOLLIN | EPOLLOUT : EPOLLIN, token_);
}

PeerSideChannel::ReadResult PeerSideChannel::receive()
{
    ReadResult result;
    for (int i = 0; channel_ && i < max_messages_per_read; ++i) {
        wire::SideMessage message;
        const auto outcome = channel_->receive(message);
        result.is_closed = outcome == SideChannel::Outcome::closed;
        if (outcome != SideChannel::Outcome::done)
            break;
        if (const auto *request = std::get_if<wire::SettingsRequest>(&message))
            result.request = *request;
    }
    return result;
}

} // namespace jkvm
