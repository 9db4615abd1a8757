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
    auto change = Change::addition;
    if (pending_ && pending_->change == Change::withdrawal) {
        change = Change::replacement; // the withdrawn fields are not part of it
    } else if (pending_) {
        sum = pending_->fields.merged_with(fields);
        change = pending_->change;
    }
    if (!is_valid(sum))
        return false;
    added_ = added_.merged_with(fields);
    pending_ = Pending{sum, change, now};
    return true;
}

bool EncoderRequestCompletion::set_configured(const wire::EncoderConfigFields &fields,
                                              MonotonicTime now)
{
    if (fields == configured_)
        return true;
    const auto sum = fields.merged_with(added_);
    if (!is_valid(sum))
        return false;
    configured_ = fields;
    if (sum != wire::EncoderConfigFields())
        pending_ = Pending{sum, Change::replacement, now};
    else if (requested_)
        pending_ = Pending{{}, Change::withdrawal, now};
    else
        pending_.reset();
    return true;
}

bool EncoderRequestCompletion::is_valid(const wire::EncoderConfigFields &fields) const
{
    return fields.applied_to(requested_.value_or(estimate_.config())).is_valid();
}

void EncoderRequestCompletion::withdraw(const wire::EncoderConfigFields &fields, MonotonicTime now)
{
    added_ = {};
    if (configured_ == wire::EncoderConfigFields())
        pending_ = Pending{fields, Change::withdrawal, now};
    else
        pending_ = Pending{configured_, Change::replacement, now};
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
    const bool is_withdrawal = pending_->change == Change::withdrawal;
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
        const bool is_addition = pending_->change == Change::addition && requested_;
        request.config = fields.applied_to(is_addition ? *requested_ : *unrequested_);
        requested_ = request.config;
    }
    pending_.reset();
    return request;
}

} // namespace jkvm
