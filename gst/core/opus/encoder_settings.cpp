// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/encoder_settings.h"

namespace jkvm {

using namespace std::chrono_literals;

std::vector<std::string_view> contradictions(const EncoderSettings &settings)
{
    // Measured with libopus 1.3.1. Only its speech coder produces redundancy; short frames and
    // restricted-lowdelay never use the speech coder.
    constexpr unsigned loss_that_changes_mode = 8;
    std::vector<std::string_view> found;
    if (settings.inband_fec && settings.audio_type == AudioType::restricted_lowdelay)
        found.emplace_back("inband-fec has no effect with audio-type=restricted-lowdelay");
    else if (settings.inband_fec && settings.frame < 10ms)
        found.emplace_back("inband-fec has no effect with frames shorter than 10 ms");
    else if (settings.inband_fec && settings.packet_loss_percentage == 0)
        found.emplace_back("inband-fec has no effect without packet-loss-percentage");
    else if (settings.inband_fec && settings.packet_loss_percentage >= loss_that_changes_mode &&
             settings.audio_type == AudioType::generic && settings.signal != SignalHint::voice)
        found.emplace_back(
            "with inband-fec a packet-loss-percentage of 8 or more makes the encoder "
            "encode music as speech, which takes 2.6 times the CPU time");
    if (settings.dtx && settings.bitrate_type == BitrateType::cbr)
        found.emplace_back("dtx reduces packet sizes, which bitrate-type=cbr forbids");
    return found;
}

EncoderSettings apply_request(const EncoderRequest &request, EncoderSettings settings,
                              const BitrateLimits &limits)
{
    if (request.frame && std::ranges::find(frame_lengths, *request.frame) != frame_lengths.end())
        settings.frame = *request.frame;
    if (request.bitrate) {
        const auto maximum = std::max(limits.minimum, limits.maximum);
        settings.bitrate = std::clamp(*request.bitrate, limits.minimum, maximum);
    }
    if (request.complexity)
        settings.complexity = std::min(*request.complexity, 10U);
    settings.dtx = request.dtx.value_or(settings.dtx);
    if (request.packet_loss_percentage)
        settings.packet_loss_percentage = std::min(*request.packet_loss_percentage, 100U);
    return settings;
}

} // namespace jkvm
