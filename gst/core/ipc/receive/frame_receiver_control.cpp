// SPDX-License-Identifier: LGPL-2.1-or-later
// The control messages that FrameReceiver sends.
#include "core/ipc/receive/frame_receiver.h"

#include <utility>

namespace jkvm {

void FrameReceiver::acknowledge_message()
{
    const bool is_microphone = config_.endpoint.direction == wire::Direction::microphone;
    if (is_microphone && socket_ && wire::requires_ack(message_))
        send_control(wire::MessageType::ack);
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
    if (!connection_.fd)
        return; // adopt() requests another wake-up
    auto request = control_.encoder_request_.lock();
    if (!*request || (*request)->is_sent)
        return;
    // The message is sent only if the dialect is known to have it. A peer recognised as v1 may be
    // v2, but a real v1 peer would take OpusConfig for a Stop of a wrong length.
    const auto dialect = connection_.parser.dialect();
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
    return {config_.endpoint.direction, connection_.parser.dialect().value_or(wire::Dialect::v1)};
}

bool FrameReceiver::send_control(wire::MessageType type, std::span<const std::byte> payload)
{
    return send_message(connection_.fd.get(), own_format(), type, payload);
}

} // namespace jkvm
