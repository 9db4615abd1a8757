// SPDX-License-Identifier: LGPL-2.1-or-later
// The control messages that FrameReceiver sends, and its side channel.
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
    set_config_request({.config = config});
}

void ReceiverControl::withdraw_request(const wire::EncoderConfig &config)
{
    set_config_request({.config = config, .is_withdrawn = true});
}

void ReceiverControl::set_config_request(const ConfigRequest &request)
{
    requests_.lock()->config = request;
    request_wake_up();
}

void ReceiverControl::request_settings(const wire::SettingsRequest &request)
{
    {
        auto requests = requests_.lock();
        if (requests->settings == request)
            return;
        requests->settings = request;
        requests->are_settings_sent = requests->is_support_checked = false;
    }
    request_wake_up();
}

void FrameReceiver::send_pending_requests()
{
    if (!connection_.fd)
        return; // adopt() requests another wake-up
    auto requests = control_.requests_.lock();
    if (connection_.side_channel) {
        send_by_side_channel(*requests);
    } else if (!connection_.had_side_channel) { // it is closed before the connection itself
        send_opus_config(*requests);
        check_support(*requests);
    }
}

void FrameReceiver::send_by_side_channel(ReceiverControl::Requests &requests)
{
    if (requests.are_settings_sent)
        return;
    switch (connection_.side_channel->send(wire::encode_side_message(requests.settings))) {
    case SideChannel::Outcome::done:
        requests.are_settings_sent = connection_.has_requested = true;
        if (requests.config && requests.config->is_withdrawn)
            requests.config.reset();
        break;
    case SideChannel::Outcome::retry:
        has_unsent_request_ = true; // the next received message triggers another attempt
        break;
    case SideChannel::Outcome::closed:
        connection_.side_channel.reset();
        break;
    }
}

void FrameReceiver::send_opus_config(ReceiverControl::Requests &requests)
{
    auto &request = requests.config;
    if (!request || request->is_sent)
        return;
    // The message is sent only if the dialect is known to have it. A peer recognised as v1 may be
    // v2, but a real v1 peer would take OpusConfig for a Stop of a wrong length.
    const auto dialect = connection_.parser.dialect();
    if (!dialect || !wire::type_code(*dialect, wire::MessageType::opus_config))
        return;
    const bool is_withdrawn = request->is_withdrawn;
    const auto &config = request->config;
    // If the socket buffer is full, the next received message triggers another attempt.
    has_unsent_request_ =
        !send_control(wire::MessageType::opus_config, config.encode()) ||
        (is_withdrawn && !send_control(wire::MessageType::config, config.stream.encode()));
    if (has_unsent_request_)
        return;
    request->is_sent = true;
    if (is_withdrawn)
        request.reset();
}

/// Counts a request that the peer's dialect cannot carry. A side channel would have arrived with
/// the first byte.
void FrameReceiver::check_support(ReceiverControl::Requests &requests)
{
    const auto dialect = connection_.parser.dialect();
    if (!connection_.has_received || !dialect || std::exchange(requests.is_support_checked, true))
        return;
    const auto &settings = requests.settings;
    const bool has_message = wire::type_code(*dialect, wire::MessageType::opus_config).has_value();
    const bool is_supported =
        settings.is_empty() || (has_message && !settings.packet_loss_percentage);
    unsupported_requests_ += is_supported ? 0 : 1;
}

/// Reads the waiting messages. Returns whether source_state() is new.
bool FrameReceiver::read_side_channel()
{
    constexpr int max_messages = 16;
    next_state_read_ = monotonic_now() + min_state_interval;
    bool has_state = false;
    for (int i = 0; i < max_messages; ++i) {
        wire::SideMessage message;
        const auto outcome = connection_.side_channel->receive(message);
        if (outcome == SideChannel::Outcome::closed)
            connection_.side_channel.reset();
        if (outcome != SideChannel::Outcome::done)
            break;
        if (auto *state = std::get_if<wire::SourceState>(&message)) {
            source_state_ = std::move(*state);
            has_state = true;
        }
    }
    return has_state;
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
