// SPDX-License-Identifier: LGPL-2.1-or-later
// Handles the encoder requests of jkvmipcsrc: those of its properties and those of events.
#include "common/element_error.h"
#include "common/encoder_request.h"
#include "ipc_src.h"

#define GST_CAT_DEFAULT jkvm_ipc_src_debug

namespace jkvm {

bool IpcSrc::handle_encoder_request(GstEvent *event)
{
    GST_DEBUG_OBJECT(element_, "%" GST_PTR_FORMAT, static_cast<void *>(event));
    auto parsed = parse_encoder_request(event, direction_);
    if (!parsed) {
        post_warning(element_, parsed.error());
        return false;
    }
    const auto now = monotonic_now();
    bool is_valid = true;
    {
        auto requests = requests_.lock();
        auto &loss = requests->packet_loss_percentage;
        if (parsed->is_withdrawal)
            requests->completion.withdraw(parsed->fields, now);
        else
            is_valid = requests->completion.request(parsed->fields, now);
        if (parsed->is_withdrawal)
            loss.reset();
        else if (is_valid && parsed->packet_loss_percentage)
            loss = parsed->packet_loss_percentage;
        request_settings(*requests);
    }
    if (!is_valid)
        post_warning(element_, {ErrorKind::request_invalid, "rate and frame-size",
                                "a frame has 2.5 to 120 ms, and Opus has five rates"});
    send_due_request();
    return is_valid;
}

/// Any thread. The last call applies the latest settings.
void IpcSrc::apply_requested_settings()
{
    const auto rate = engine_.stream_config().sample_rate;
    bool is_valid = true;
    RequestedSettings requested;
    {
        auto requests = requests_.lock();
        requested = settings_.lock()->requested;
        is_valid = requests->completion.set_configured(requested.fields(direction_, rate),
                                                       monotonic_now());
        request_settings(*requests);
    }
    if (!is_valid)
        post_warning(element_, {ErrorKind::request_invalid, requested.names(),
                                "a bitrate has 500 to 512000 bit/s, a frame 2.5 to 120 ms"});
    send_due_request();
}

/// Requests the fields as they are, for a sender that has a side channel. `requests` stays locked
/// meanwhile, so that the newest request is sent last.
void IpcSrc::request_settings(const EncoderRequests &requests)
{
    const auto configured_loss = settings_.lock()->requested.packet_loss_percentage;
    wire::SettingsRequest request{.config = requests.completion.fields(),
                                  .packet_loss_percentage = requests.packet_loss_percentage};
    if (request.config.frame_size && !request.config.sample_rate)
        request.config.sample_rate = engine_.stream_config().sample_rate;
    if (!request.packet_loss_percentage && configured_loss >= 0)
        request.packet_loss_percentage = static_cast<std::uint32_t>(configured_loss);
    engine_.request_settings(request);
}

/// Streaming thread. Posts the first of these warnings only.
void IpcSrc::warn_of_unsupported_request()
{
    has_warned_of_request_ = true;
    const auto dialect = engine_.stats().dialect.value_or(wire::Dialect::v1);
    const bool has_opus_config =
        wire::type_code(dialect, wire::MessageType::opus_config).has_value();
    auto subject = has_opus_config ? std::string("packet-loss-percentage")
                                   : settings_.lock()->requested.names();
    if (subject.empty())
        subject = encoder_request_name;
    post_warning(element_,
                 {ErrorKind::request_unsupported, subject,
                  "the peer has no side channel, and its dialect is " + wire::name(dialect) +
                      (has_opus_config ? "" : "; a peer that speaks v2 needs dialect=v2")});
}

/// Any thread. A request that is not due yet is sent with a later frame.
void IpcSrc::send_due_request()
{
    send_due_request(requests_.lock()->completion);
}

/// `requests` stays locked while the request is sent, so that the newest one is sent last.
void IpcSrc::send_due_request(EncoderRequestCompletion &requests)
{
    if (const auto request = requests.take_due(monotonic_now()))
        send_request(*request);
}

void IpcSrc::send_request(const EncoderRequestCompletion::Request &request)
{
    const auto &config = request.config;
    GST_INFO_OBJECT(
        element_, "%s: %u bit/s, complexity %u, frames of %u samples at %u Hz",
        request.is_withdrawal ? "withdrawing the encoder request" : "requesting encoder settings",
        config.bitrate, config.complexity, config.stream.frame_size, config.stream.sample_rate);
    if (request.is_withdrawal)
        engine_.withdraw_request(config);
    else
        engine_.request_encoder(config);
}

} // namespace jkvm
