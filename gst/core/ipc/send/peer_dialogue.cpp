// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer_dialogue.h"

#include "core/base/overload.h"
#include "core/wire/decode.h"

#include <sys/socket.h>

#include <cerrno>

namespace jkvm {

namespace {

/// The peer speaks the same dialect, except that v1 and v2 may be mixed on one connection.
std::optional<wire::Dialect> dialect_of_peer(wire::Dialect own)
{
    return own == wire::Dialect::v3 ? std::optional(own) : std::nullopt;
}

} // namespace

PeerDialogue::PeerDialogue(wire::Format format)
    : format_(format), parser_(format.direction, dialect_of_peer(format.dialect))
{}

bool PeerDialogue::send_control(Peer &peer, wire::MessageType type,
                                std::span<const std::byte> payload) const
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

PeerDialogue::ReadResult PeerDialogue::receive(Peer &peer)
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

    ReadResult result;
    wire::RawMessage raw;
    auto outcome = parser_.next(raw);
    for (; outcome == wire::Parser::Outcome::message; outcome = parser_.next(raw)) {
        result.has_message = true;
        handle(wire::decode(raw), peer, result);
    }
    if (outcome == wire::Parser::Outcome::violation)
        result.end = Error{ErrorKind::protocol_violation, {}, parser_.violation()};
    return result;
}

void PeerDialogue::handle(const wire::Message &message, Peer &peer, ReadResult &result) const
{
    std::visit(
        Overload{
            [&](const wire::OpusConfig &request) { result.encoder_request = request.encoder; },
            [&](const wire::Config &) {
                // Some peers start with a Config, although there is nothing to withdraw yet.
                result.encoder_request.reset();
                result.has_withdrawn_request = true;
            },
            [&](const wire::Heartbeat &) {
                // Clients of the output path take every message for a frame. And a peer that does
                // not read must not make answers queue up.
                if (format_.direction == wire::Direction::microphone && !peer.is_waiting())
                    send_control(peer, wire::MessageType::ack, {});
            },
            [](const wire::OpusFrame &) {},
            [&](const wire::Stop &stop) {
                result.has_stopped = true;
                result.close_reason = stop.reason;
            },
            [](const wire::Ack &) {},
            [](const wire::Unknown &) {},
        },
        message);
}

} // namespace jkvm
