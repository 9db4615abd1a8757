// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/encoder_request_completion.h"

#include <algorithm>
#include <utility>

namespace jkvm {

namespace {

/// Whether the fields that are not named are among those that each packet shows.
bool lacks_only_format(const wire::EncoderConfigFields &fields)
{
    auto completed = fields;
    completed.sample_rate = completed.channels = completed.frame_size = 0;
    return completed.is_complete();
}

} // namespace

void EncoderRequestCompletion::on_connected(MonotonicTime now)
{
    connected_ = now;
    received_ = nanoseconds(0);
    if (!requested_)
        estimate_.restart();
}

void EncoderRequestCompletion::record(const EncodedFrame &frame)
{
    received_ += frame.duration;
    // Under a request the stream shows that, not the encoder's own settings.
    if (!requested_)
        estimate_.record(frame);
}

bool EncoderRequestCompletion::request(const wire::EncoderConfigFields &fields, MonotonicTime now)
{
    auto sum = fields;
    if (pending_ && !pending_->is_withdrawal)
        sum = pending_->fields.merged_with(fields);
    if (!sum.applied_to(requested_.value_or(estimate_.config())).is_valid())
        return false;
    pending_ = Pending{sum, false, now};
    return true;
}

void EncoderRequestCompletion::withdraw(const wire::EncoderConfigFields &fields, MonotonicTime now)
{
    pending_ = Pending{fields, true, now};
}

bool EncoderRequestCompletion::is_estimate_usable(const Pending &pending, MonotonicTime now) const
{
    if (!connected_)
        return false;
    if (now - std::max(pending.since, *connected_) >= observation_time)
        return true;
    const bool is_settled = received_ >= observation_time || estimate_.has_constant_bitrate();
    return is_settled || (received_ > nanoseconds(0) && lacks_only_format(pending.fields));
}

std::optional<EncoderRequestCompletion::Request> EncoderRequestCompletion::take_due(
    MonotonicTime now)
{
    if (!pending_)
        return std::nullopt;
    const auto fields = pending_->fields;
    const bool is_withdrawal = pending_->is_withdrawal;
    if (!requested_ && !fields.is_complete() && !is_estimate_usable(*pending_, now))
        return std::nullopt;
    Request request{.config = {}, .is_withdrawal = is_withdrawal};
    if (is_withdrawal) {
        request.config = fields.applied_to(unrequested_.value_or(estimate_.config()));
        requested_.reset();
        unrequested_.reset();
    } else {
        if (!requested_)
            unrequested_ = estimate_.config();
        request.config = fields.applied_to(requested_.value_or(*unrequested_));
        requested_ = request.config;
    }
    pending_.reset();
    return request;
}

} // namespace jkvm
