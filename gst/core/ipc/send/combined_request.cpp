// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/combined_request.h"

#include <algorithm>

namespace jkvm {

namespace {

template <typename T, typename Choose>
std::optional<T> choose_field(const std::optional<T> &first, const std::optional<T> &second,
                              Choose choose)
{
    if (first && second)
        return choose(*first, *second);
    return first ? first : second;
}

constexpr auto lower = [](const auto &a, const auto &b) { return std::min(a, b); };
constexpr auto higher = [](const auto &a, const auto &b) { return std::max(a, b); };

/// Returns 0 if the request names no frame length.
nanoseconds frame_duration(const wire::EncoderConfigFields &fields)
{
    const auto rate = fields.sample_rate.value_or(wire::StreamConfig().sample_rate);
    return nanoseconds(std::chrono::seconds(fields.frame_size.value_or(0))) / rate;
}

} // namespace

wire::SettingsRequest combine_requests(const wire::SettingsRequest &first,
                                       const wire::SettingsRequest &second)
{
    const auto &a = first.config;
    const auto &b = second.config;
    auto config = b.merged_with(a);
    // A frame's number of samples depends on the rate, so the format is that of one of them.
    if (frame_duration(b) > frame_duration(a)) {
        config.sample_rate = b.sample_rate;
        config.frame_size = b.frame_size;
        config.channels = b.channels ? b.channels : a.channels;
    } else if (a.frame_size) {
        config.sample_rate = a.sample_rate;
    }
    config.bitrate = choose_field(a.bitrate, b.bitrate, lower);
    config.complexity = choose_field(a.complexity, b.complexity, lower);
    config.bandwidth = choose_field(a.bandwidth, b.bandwidth, lower);
    config.dtx = choose_field(a.dtx, b.dtx, higher);
    return {.config = config,
            .packet_loss_percentage =
                choose_field(first.packet_loss_percentage, second.packet_loss_percentage, higher)};
}

} // namespace jkvm
