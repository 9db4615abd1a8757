// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/encoder_request_completion.h"

#include <algorithm>
#include <utility>

namespace jkvm {

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

bool EncoderRequestCompletion::is_stream_known(MonotonicTime since, MonotonicTime now) const
{
    if (!connected_)
        return false;
    return received_ >= observation_time || now - std::max(since, *connected_) >= observation_time;
}

std::optional<EncoderRequestCompletion::Request> EncoderRequestCompletion::take_due(
    MonotonicTime now)
{
    if (!pending_)
        return std::nullopt;
    const auto &[fields, is_withdrawal, since] = *pending_;
    if (!requested_ && !fields.is_complete() && !is_stream_known(since, now))
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
