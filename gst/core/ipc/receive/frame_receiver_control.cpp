// SPDX-License-Identifier: LGPL-2.1-or-later
// The control messages that FrameReceiver sends.
#include "core/ipc/receive/frame_receiver.h"

#include "core/base/overload.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <utility>

namespace jkvm {

void FrameReceiver::acknowledge_message()
{
    const bool is_microphone = config_.endpoint.direction == wire::Direction::microphone;
    if (!is_microphone || !socket_)
        return;
    const auto acknowledge = [this] { send_control(wire::MessageType::ack, {}); };
    std::visit(Overload{
                   [&](const wire::Config &) { acknowledge(); },
                   [&](const wire::OpusConfig &) { acknowledge(); },
                   [&](const wire::Heartbeat &) { acknowledge(); },
                   [](const wire::OpusFrame &) {},
                   [](const wire::Stop &) {},
                   [](const wire::Ack &) {},
                   [](const wire::Unknown &) {},
               },
               message_);
}

void ReceiverControl::request_encoder(const wire::EncoderConfig &config)
{
    set_request({.config = config});
}

void ReceiverControl::withdraw_request(const wire::EncoderConfig &config)
{
    set_request({.config = config, .is_withdrawn = true});
}

void ReceiverControl::set_request(const EncoderRequest &request)
{
    *encoder_request_.lock() = request;
    request_wake_up();
}

void FrameReceiver::send_pending_request()
{
    if (!connection_)
        return; // adopt() requests another wake-up
    auto request = control_.encoder_request_.lock();
    if (!*request || (*request)->is_sent)
        return;
    // The message is sent only if the dialect is known to have it. A peer recognised as v1 may be
    // v2, but a real v1 peer would take OpusConfig for a Stop of a wrong length.
    const auto dialect = parser_.dialect();
    if (!dialect)
        return;
    const bool is_withdrawn = (*request)->is_withdrawn;
    if (!wire::type_code(*dialect, wire::MessageType::opus_config)) {
        if (!std::exchange((*request)->is_unsupported, true) && !is_withdrawn)
            ++unsupported_requests_;
        return;
    }
    const auto &config = (*request)->config;
    // If the socket buffer is full, the next received message triggers another attempt.
    has_unsent_request_ =
        !send_control(wire::MessageType::opus_config, config.encode()) ||
        (is_withdrawn && !send_control(wire::MessageType::config, config.stream.encode()));
    if (has_unsent_request_)
        return;
    (*request)->is_sent = true;
    if (is_withdrawn)
        request->reset();
}

/// Format of the messages that this end sends on the connection.
wire::Format FrameReceiver::own_format() const
{
    return {config_.endpoint.direction, parser_.dialect().value_or(wire::Dialect::v1)};
}

/// Sends the whole message or nothing, without blocking: receiving frames matters more than an
/// answer that the peer does not read. Returns false if it was not sent.
bool FrameReceiver::send_control(wire::MessageType type, std::span<const std::byte> payload)
{
    const auto format = own_format();
    const auto code = wire::type_code(format.dialect, type);
    if (!code)
        return false;
    const wire::HeaderBytes header(format, {.type_code = *code,
                                            .length = static_cast<std::uint32_t>(payload.size()),
                                            .timestamp = wall_now()});
    std::array<iovec, 2> parts{
        {{const_cast<std::byte *>(header.bytes().data()), header.bytes().size()},
         {const_cast<std::byte *>(payload.data()), payload.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const auto sent = ::sendmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    // After a partial message the peer would lose synchronisation, so the connection has to end.
    if (sent > 0 && static_cast<std::size_t>(sent) < header.bytes().size() + payload.size())
        ::shutdown(connection_.get(), SHUT_RDWR);
    return sent > 0;
}

} // namespace jkvm
