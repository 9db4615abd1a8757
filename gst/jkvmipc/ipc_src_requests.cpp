// SPDX-License-Identifier: LGPL-2.1-or-later
// Handles the encoder requests of jkvmipcsrc: those of its properties and those of events.
#include "common/element_error.h"
#include "common/encoder_request.h"
#include "ipc_src.h"

#include <utility>

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
    if (parsed->is_withdrawal)
        requests_.lock()->withdraw(parsed->fields, now);
    else
        is_valid = requests_.lock()->request(parsed->fields, now);
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
    bool is_loss_new = false;
    RequestedSettings requested;
    {
        auto requests = requests_.lock();
        requested = settings_.lock()->requested;
        const auto loss = requested.packet_loss_percentage;
        is_loss_new = std::exchange(reported_loss_, loss) != loss && loss >= 0;
        is_valid = requests->set_configured(requested.fields(direction_, rate), monotonic_now());
    }
    if (!is_valid)
        post_warning(element_, {ErrorKind::request_invalid, requested.names(),
                                "a bitrate has 500 to 512000 bit/s, a frame 2.5 to 120 ms"});
    if (is_loss_new) {
        ++unsupported_properties_;
        warn_of_unsupported_request("packet-loss-percentage", "no dialect has a field for it");
    }
    send_due_request();
}

/// Streaming thread. The request is sent when a peer's dialect can carry it.
void IpcSrc::warn_of_unsupported_dialect()
{
    const auto dialect = engine_.stats().dialect;
    auto names = settings_.lock()->requested.names();
    if (names.empty())
        names = "jkvm-encoder-request";
    warn_of_unsupported_request(
        names, "the peer's dialect is " + (dialect ? wire::name(*dialect) : "unknown") +
                   ", which has no message for it; a peer that speaks v2 needs "
                   "dialect=v2 at both ends");
}

void IpcSrc::warn_of_unsupported_request(const std::string &subject, const std::string &detail)
{
    if (!has_warned_of_request_.exchange(true))
        post_warning(element_, {ErrorKind::request_unsupported, subject, detail});
}

/// Any thread. A request that is not due yet is sent with a later frame.
void IpcSrc::send_due_request()
{
    send_due_request(*requests_.lock());
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
