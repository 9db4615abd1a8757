// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer_dialogue.h"

#include <sys/socket.h>

#include <cerrno>

namespace jkvm {

namespace {

/// A peer's dialect is ours, but v1 and v2 may stand on two ends of one connection.
std::optional<wire::Dialect> dialect_of_peer(wire::Dialect ours)
{
    return ours == wire::Dialect::v3 ? std::optional(ours) : std::nullopt;
}

} // namespace

PeerDialogue::PeerDialogue(wire::Format format)
    : format_(format), parser_(format.direction, dialect_of_peer(format.dialect))
{}

bool PeerDialogue::say(Peer &peer, wire::MessageType type, std::span<const std::byte> payload) const
{
    const auto code = wire::type_code(format_.dialect, type);
    if (!code)
        return true;
    const wire::Header header{.type_code = *code,
                              .length = static_cast<std::uint32_t>(payload.size()),
                              .timestamp = wall_now()};
    OutgoingMessage message(wire::HeaderBytes(format_, header), payload, nanoseconds(0));
    return peer.send(message, header.timestamp);
}

PeerDialogue::ReadResult PeerDialogue::listen(Peer &peer)
{
    const auto space = parser_.space();
    const auto count = ::recv(peer.fd(), space.data(), space.size(), MSG_DONTWAIT);
    if (count == 0)
        return {.end = Error{ErrorKind::peer_gone, {}, {}}};
    if (count < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            return {};
        return {.end = system_error(ErrorKind::peer_gone, {}, "recv", errno)};
    }
    parser_.commit(static_cast<std::size_t>(count));

    // The output path answers nothing: its clients take every message for a frame.
    const bool is_answering = format_.direction == wire::Direction::microphone;
    ReadResult heard;
    wire::Message message;
    auto outcome = parser_.next(message);
    for (; outcome == wire::Parser::Outcome::message; outcome = parser_.next(message)) {
        heard.has_message = true;
        if (message.type == wire::MessageType::opus_config) {
            if (const auto request = wire::EncoderConfig::decode(message.payload))
                heard.encoder_request = request;
        } else if (message.type == wire::MessageType::config) {
            // Peers begin with it, too: then there is nothing to withdraw.
            if (wire::StreamConfig::decode(message.payload)) {
                heard.encoder_request.reset();
                heard.has_withdrawn_request = true;
            }
        } else if (message.type == wire::MessageType::heartbeat && message.payload.empty() &&
                   is_answering && !peer.is_waiting()) // who does not read gets no more
            say(peer, wire::MessageType::ack, {});
    }
    if (outcome == wire::Parser::Outcome::violation)
        heard.end = Error{ErrorKind::protocol_violation, {}, parser_.violation()};
    return heard;
}

} // namespace jkvm
