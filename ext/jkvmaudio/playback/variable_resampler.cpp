// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/variable_resampler.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// GstAudioResampler requires integer rates, and large ones allow fine steps of the ratio. The
// product of frames and rate must fit into 32 bits on 32-bit machines; with this rate, 20 ms do.
constexpr int base_rate = 2'400'000;

} // namespace

Result<VariableResampler> VariableResampler::create(unsigned channels, unsigned device_rate)
{
    VariableResampler resampler;
    resampler.channels_ = channels;
    resampler.out_rate_ = static_cast<int>(std::int64_t{base_rate} * device_rate / rate);
    resampler.largest_input_ = std::size_t{rate} / 50 * rate / std::max(rate, device_rate);
    auto *options = gst_structure_new_empty("resampler");
    gst_audio_resampler_options_set_quality(GST_AUDIO_RESAMPLER_METHOD_KAISER, 4, base_rate,
                                            resampler.out_rate_, options);
    gst_structure_set(
        options, GST_AUDIO_RESAMPLER_OPT_FILTER_MODE, GST_TYPE_AUDIO_RESAMPLER_FILTER_MODE,
        GST_AUDIO_RESAMPLER_FILTER_MODE_INTERPOLATED, GST_AUDIO_RESAMPLER_OPT_FILTER_INTERPOLATION,
        GST_TYPE_AUDIO_RESAMPLER_FILTER_INTERPOLATION,
        GST_AUDIO_RESAMPLER_FILTER_INTERPOLATION_LINEAR, GST_AUDIO_RESAMPLER_OPT_MAX_PHASE_ERROR,
        G_TYPE_DOUBLE, 0.0, nullptr);
    // Equal rates would select another code path with another delay.
    resampler.handle_.reset(gst_audio_resampler_new(
        GST_AUDIO_RESAMPLER_METHOD_KAISER, GST_AUDIO_RESAMPLER_FLAG_VARIABLE_RATE,
        GST_AUDIO_FORMAT_F32, static_cast<int>(channels), base_rate,
        resampler.out_rate_ == base_rate ? base_rate + 1 : resampler.out_rate_, options));
    gst_structure_free(options);
    if (!resampler.handle_)
        return Error{ErrorKind::out_of_resources, std::to_string(device_rate) + " Hz",
                     "gst_audio_resampler_new"};
    // Twice the nominal size leaves room for every ratio that the control loop chooses.
    resampler.output_.resize(2 * (resampler.largest_input_ * device_rate / rate + 64) * channels);
    resampler.set_ratio(1);
    return resampler;
}

void VariableResampler::set_ratio(double ratio)
{
    int in_rate = static_cast<int>(std::lround(base_rate / ratio));
    if (in_rate == out_rate_)
        ++in_rate;
    input_per_output_ = static_cast<double>(in_rate) / out_rate_;
    gst_audio_resampler_update(handle_.get(), in_rate, out_rate_, nullptr);
}

std::span<const float> VariableResampler::process(std::span<const float> input)
{
    const auto in_frames = input.size() / channels_;
    const auto out_frames = std::min(gst_audio_resampler_get_out_frames(handle_.get(), in_frames),
                                     output_.size() / channels_);
    std::array<gpointer, 1> in{const_cast<float *>(input.data())}; // NOLINT: it only reads
    std::array<gpointer, 1> out{output_.data()};
    gst_audio_resampler_resample(handle_.get(), in.data(), in_frames, out.data(), out_frames);
    held_ += static_cast<double>(in_frames) - static_cast<double>(out_frames) * input_per_output_;
    return std::span(output_).first(out_frames * channels_);
}

void VariableResampler::reset()
{
    gst_audio_resampler_reset(handle_.get());
    held_ = 0;
}

} // namespace jkvm
