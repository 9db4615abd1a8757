// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/quality_preset.h"

#include <algorithm>
#include <array>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

struct Row {
    nanoseconds frame;
    unsigned complexity;
    SignalHint signal;
    bool dtx;
    struct PerDirection {
        unsigned kilobits;
        unsigned channels;
        unsigned rate;
        Bandwidth bandwidth;
    } output, microphone;
};

constexpr auto wb = Bandwidth::wideband;
constexpr auto swb = Bandwidth::superwideband;
constexpr auto fb = Bandwidth::fullband;

// In the order of Quality. Complexity and frame length are the same in both directions; a
// microphone needs less bitrate.
constexpr std::array<Row, 4> rows{{
    {40ms, 1, SignalHint::voice, true, {32, 1, 24000, swb}, {16, 1, 16000, wb}},
    {20ms, 2, SignalHint::automatic, false, {96, 2, 48000, fb}, {64, 1, 48000, fb}},
    {20ms, 5, SignalHint::music, false, {192, 2, 48000, fb}, {128, 1, 48000, fb}},
    {10ms, 8, SignalHint::music, false, {320, 2, 48000, fb}, {256, 1, 48000, fb}},
}};

} // namespace

EncoderSettings quality_preset(wire::Direction direction, Quality quality)
{
    const auto &row = rows.at(static_cast<std::size_t>(quality));
    const auto &side = direction == wire::Direction::output ? row.output : row.microphone;
    return {.rate = side.rate,
            .channels = side.channels,
            .frame = row.frame,
            .bitrate = side.kilobits * 1000,
            .complexity = row.complexity,
            .signal = row.signal,
            .bandwidth = side.bandwidth,
            .dtx = row.dtx};
}

wire::EncoderConfigFields preset_fields(wire::Direction direction, Quality quality)
{
    const auto preset = quality_preset(direction, quality);
    return {.sample_rate = preset.rate,
            .channels = preset.channels,
            .frame_size = static_cast<std::uint32_t>(preset.frame * preset.rate / 1s),
            .bitrate = preset.bitrate,
            .complexity = preset.complexity,
            .vbr = preset.bitrate_type != BitrateType::cbr,
            .signal = static_cast<std::int32_t>(preset.signal),
            .bandwidth = static_cast<std::uint32_t>(preset.bandwidth),
            .dtx = preset.dtx};
}

std::optional<Quality> find_quality(std::string_view nick)
{
    static_assert(quality_nicks.size() == rows.size());
    const auto *const found = std::ranges::find(quality_nicks, nick);
    if (found == quality_nicks.end())
        return std::nullopt;
    return static_cast<Quality>(found - quality_nicks.begin());
}

unsigned capture_channels(wire::Direction direction)
{
    return direction == wire::Direction::output ? 2 : 1;
}

} // namespace jkvm
