// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/sample_converter.h"

#include <algorithm>
#include <numeric>
#include <utility>

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

/// Weight of a channel on either side.
struct Sides {
    float left;
    float right;
};

Sides sides_of(unsigned position)
{
    constexpr float part = 0.7071F; // half of the power
    switch (position) {
    case SND_CHMAP_FL:
        return {1, 0};
    case SND_CHMAP_FR:
        return {0, 1};
    case SND_CHMAP_MONO:
    case SND_CHMAP_FC:
    case SND_CHMAP_RC:
        return {part, part};
    case SND_CHMAP_RL:
    case SND_CHMAP_SL:
    case SND_CHMAP_FLC:
    case SND_CHMAP_RLC:
        return {part, 0};
    case SND_CHMAP_RR:
    case SND_CHMAP_SR:
    case SND_CHMAP_FRC:
    case SND_CHMAP_RRC:
        return {0, part};
    default:
        return {0, 0}; // low-frequency effects and unknown positions
    }
}

/// Position of each channel: as the device reports it, else in the usual order of ALSA drivers,
/// else left and right first.
std::vector<unsigned> find_map(const AlsaDevice::Format &format)
{
    if (format.map.size() == format.channels)
        return format.map;
    std::vector<unsigned> map{SND_CHMAP_FL, SND_CHMAP_FR};
    if (format.channels == 4 || format.channels == 6 || format.channels == 8)
        map.insert(map.end(), {SND_CHMAP_RL, SND_CHMAP_RR, SND_CHMAP_FC, SND_CHMAP_LFE,
                               SND_CHMAP_SL, SND_CHMAP_SR});
    map.resize(format.channels, SND_CHMAP_UNKNOWN);
    return map;
}

/// A row of weights for each output channel; the sum of a row is at most 1.
std::vector<std::vector<float>> mix_matrix(const AlsaDevice::Format &format, unsigned channels)
{
    const auto map = find_map(format);
    std::vector<std::vector<float>> rows(channels);
    for (const auto position : map) {
        const auto [left, right] = sides_of(position);
        rows[0].push_back(channels == 1 ? (left + right) / 2 : left);
        if (channels == 2)
            rows[1].push_back(right);
    }
    for (auto &row : rows) {
        const auto sum = std::accumulate(row.begin(), row.end(), 0.0F);
        for (auto &weight : row)
            weight /= std::max(sum, 1.0F);
    }
    return rows;
}

/// As GST_AUDIO_CONVERTER_OPT_MIX_MATRIX. Transfer full.
GstStructure *mix_options(const AlsaDevice::Format &format, unsigned channels)
{
    GValue matrix = G_VALUE_INIT;
    g_value_init(&matrix, GST_TYPE_ARRAY);
    for (const auto &weights : mix_matrix(format, channels)) {
        GValue row = G_VALUE_INIT;
        g_value_init(&row, GST_TYPE_ARRAY);
        for (const auto weight : weights) {
            GValue value = G_VALUE_INIT;
            g_value_init(&value, G_TYPE_FLOAT);
            g_value_set_float(&value, weight);
            gst_value_array_append_and_take_value(&row, &value);
        }
        gst_value_array_append_and_take_value(&matrix, &row);
    }
    auto *options = gst_structure_new_empty("options");
    gst_structure_take_value(options, GST_AUDIO_CONVERTER_OPT_MIX_MATRIX, &matrix);
    return options;
}

} // namespace

bool SampleConverter::is_needed(const AlsaDevice::Format &from, unsigned channels)
{
    return from.sample != SND_PCM_FORMAT_S16_LE || from.rate != rate || from.channels != channels;
}

Result<SampleConverter> SampleConverter::create(const std::string &device,
                                                const AlsaDevice::Format &from, unsigned channels,
                                                bool is_adjustable)
{
    GstAudioInfo in;
    GstAudioInfo out;
    gst_audio_info_set_format(&in, gst_format(from.sample), static_cast<gint>(from.rate),
                              static_cast<gint>(from.channels), nullptr);
    gst_audio_info_set_format(&out, GST_AUDIO_FORMAT_S16LE, rate, static_cast<gint>(channels),
                              nullptr);
    SampleConverter converter;
    auto *options = from.channels > 2 ? mix_options(from, channels) : nullptr;
    converter.handle_.reset(gst_audio_converter_new(
        is_adjustable ? GST_AUDIO_CONVERTER_FLAG_VARIABLE_RATE : GST_AUDIO_CONVERTER_FLAG_NONE, &in,
        &out, options));
    if (!converter.handle_)
        return Error{ErrorKind::device_unsupported, device, "gst_audio_converter_new failed"};
    converter.input_rate_ = from.rate;
    converter.is_adjustable_ = is_adjustable;
    converter.input_bytes_ = static_cast<std::size_t>(GST_AUDIO_INFO_BPF(&in));
    converter.delay_ = nanoseconds(std::chrono::seconds(
                           gst_audio_converter_get_max_latency(converter.handle_.get()))) /
                       from.rate;
    return converter;
}

void SampleConverter::set_input_rate(unsigned input_rate)
{
    if (std::exchange(input_rate_, input_rate) != input_rate)
        gst_audio_converter_update_config(handle_.get(), static_cast<gint>(input_rate), rate,
                                          nullptr);
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
    // Without GST_AUDIO_CONVERTER_FLAG_IN_WRITABLE the input is only read.
    gpointer in[] = {const_cast<std::byte *>(input.data())};
    gpointer out[] = {output.data()};
    gst_audio_converter_samples(handle_.get(), GST_AUDIO_CONVERTER_FLAG_NONE, in, count, out, made);
    return made;
}

} // namespace jkvm
