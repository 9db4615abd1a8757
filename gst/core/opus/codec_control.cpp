// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/codec_control.h"

namespace jkvm {

void CodecControl::set_quality(std::optional<Quality> quality)
{
    quality_ = quality;
    if (quality_)
        settings_ = quality_preset(direction_, *quality_);
    request_ = {};
}

void CodecControl::set_direction(wire::Direction direction)
{
    direction_ = direction;
    if (quality_)
        settings_ = quality_preset(direction_, *quality_);
    settings_.channels = std::min(settings_.channels, capture_channels(direction_));
}

void CodecControl::request(const EncoderRequest &request)
{
    const auto take = [](auto &to, const auto &from) {
        if (from)
            to = from;
    };
    take(request_.frame, request.frame);
    take(request_.bitrate, request.bitrate);
    take(request_.complexity, request.complexity);
    take(request_.dtx, request.dtx);
    take(request_.packet_loss_percentage, request.packet_loss_percentage);
}

} // namespace jkvm
