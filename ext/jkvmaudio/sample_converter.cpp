// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sample_converter.h"

#include <algorithm>
#include <array>

namespace jkvm {

namespace {

GstAudioFormat gst_format(snd_pcm_format_t format)
{
    switch (format) {
    case SND_PCM_FORMAT_S32_LE:
        return GST_AUDIO_FORMAT_S32LE;
    case SND_PCM_FORMAT_S24_3LE:
        return GST_AUDIO_FORMAT_S24LE;
    case SND_PCM_FORMAT_S24_LE:
        return GST_AUDIO_FORMAT_S24_32LE;
    default:
        return GST_AUDIO_FORMAT_S16LE;
    }
}

GstAudioChannelPosition gst_position(unsigned position)
{
    switch (position) {
    case SND_CHMAP_MONO:
        return GST_AUDIO_CHANNEL_POSITION_MONO;
    case SND_CHMAP_FL:
        return GST_AUDIO_CHANNEL_POSITION_FRONT_LEFT;
    case SND_CHMAP_FR:
        return GST_AUDIO_CHANNEL_POSITION_FRONT_RIGHT;
    case SND_CHMAP_RL:
        return GST_AUDIO_CHANNEL_POSITION_REAR_LEFT;
    case SND_CHMAP_RR:
        return GST_AUDIO_CHANNEL_POSITION_REAR_RIGHT;
    case SND_CHMAP_FC:
        return GST_AUDIO_CHANNEL_POSITION_FRONT_CENTER;
    case SND_CHMAP_LFE:
        return GST_AUDIO_CHANNEL_POSITION_LFE1;
    case SND_CHMAP_SL:
        return GST_AUDIO_CHANNEL_POSITION_SIDE_LEFT;
    case SND_CHMAP_SR:
        return GST_AUDIO_CHANNEL_POSITION_SIDE_RIGHT;
    case SND_CHMAP_RC:
        return GST_AUDIO_CHANNEL_POSITION_REAR_CENTER;
    default:
        return GST_AUDIO_CHANNEL_POSITION_NONE;
    }
}

using Positions = std::array<GstAudioChannelPosition, 64>;

/// Where the device's channels stand: as it says, else in the order that ALSA's drivers keep to.
/// Nothing known: the first two are left and right.
bool find_positions(const Pcm::Format &format, Positions &positions)
{
    static constexpr std::array<unsigned, 8> usual{SND_CHMAP_FL, SND_CHMAP_FR, SND_CHMAP_RL,
                                                   SND_CHMAP_RR, SND_CHMAP_FC, SND_CHMAP_LFE,
                                                   SND_CHMAP_SL, SND_CHMAP_SR};
    const bool is_usual = format.channels == 4 || format.channels == 6 || format.channels == 8;
    if (format.map.size() != format.channels && !is_usual)
        return false;
    std::uint64_t seen = 0;
    for (unsigned c = 0; c < format.channels; ++c) {
        const auto position =
            gst_position(format.map.size() == format.channels ? format.map[c] : usual.at(c));
        const auto bit = position < 0 ? 0 : std::uint64_t{1} << position;
        if (bit == 0 || (seen & bit) != 0)
            return false;
        seen |= bit;
        positions.at(c) = position;
    }
    return true;
}

GstAudioInfo describe(const Pcm::Format &format)
{
    GstAudioInfo info;
    Positions positions;
    positions.fill(GST_AUDIO_CHANNEL_POSITION_NONE);
    const bool has_positions = format.channels <= 2 || find_positions(format, positions);
    gst_audio_info_set_format(&info, gst_format(format.sample), static_cast<gint>(format.rate),
                              static_cast<gint>(format.channels),
                              format.channels <= 2 || !has_positions ? nullptr : positions.data());
    return info;
}

} // namespace

bool SampleConverter::is_needed(const Pcm::Format &from, unsigned channels)
{
    return from.sample != SND_PCM_FORMAT_S16_LE || from.rate != rate || from.channels != channels;
}

Result<SampleConverter> SampleConverter::create(const std::string &device, const Pcm::Format &from,
                                                unsigned channels)
{
    const auto fail = [&device](const char *what) {
        return Error{ErrorKind::device_unsupported, device, what};
    };
    if (from.channels > Positions{}.size())
        return fail("it has more than 64 channels");
    auto in = describe(from);
    GstAudioInfo out;
    gst_audio_info_set_format(&out, GST_AUDIO_FORMAT_S16LE, rate, static_cast<gint>(channels),
                              nullptr);
    SampleConverter converter;
    converter.handle_.reset(
        gst_audio_converter_new(GST_AUDIO_CONVERTER_FLAG_NONE, &in, &out, nullptr));
    if (!converter.handle_)
        return fail("gst_audio_converter_new failed");
    converter.input_bytes_ = static_cast<std::size_t>(GST_AUDIO_INFO_BPF(&in));
    converter.delay_ = nanoseconds(std::chrono::seconds(
                           gst_audio_converter_get_max_latency(converter.handle_.get()))) /
                       from.rate;
    return converter;
}

std::size_t SampleConverter::input_for(std::size_t output) const
{
    return std::max<std::size_t>(1, gst_audio_converter_get_in_frames(handle_.get(), output));
}

std::size_t SampleConverter::convert(std::span<const std::byte> input,
                                     std::span<std::int16_t> output)
{
    const auto count = input.size() / input_bytes_;
    const auto made = gst_audio_converter_get_out_frames(handle_.get(), count);
    // It reads what it is not told it may change.
    gpointer in[] = {const_cast<std::byte *>(input.data())};
    gpointer out[] = {output.data()};
    gst_audio_converter_samples(handle_.get(), GST_AUDIO_CONVERTER_FLAG_NONE, in, count, out, made);
    return made;
}

} // namespace jkvm
