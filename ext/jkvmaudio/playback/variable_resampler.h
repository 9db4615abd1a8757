// SPDX-License-Identifier: LGPL-2.1-or-later
// Resamples a stream at a continuously changing ratio.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"

#include <gst/audio/audio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace jkvm {

/// GstAudioResampler, in the configuration that neither clicks nor allocates when the ratio
/// changes. Thread-bound.
class VariableResampler {
public:
    static constexpr unsigned rate = 48000; ///< Hz, of the input
    static constexpr nanoseconds delay = nanoseconds(std::chrono::seconds(32)) / rate;

    /// `device_rate`: nominal rate of the output in Hz. Errors: out_of_resources.
    static Result<VariableResampler> create(unsigned channels, unsigned device_rate);

    /// `ratio`: output frames per input frame, relative to the nominal rates. One step is 0.42 ppm.
    void set_ratio(double ratio);
    /// Maximum input of one call, in frames: 20 ms for a device of up to 48 kHz, less for others.
    [[nodiscard]] std::size_t largest_input() const { return largest_input_; }
    /// Resamples interleaved input of at most largest_input() frames. The result is valid until the
    /// next call.
    std::span<const float> process(std::span<const float> input);
    /// Number of input frames whose output was not returned yet.
    [[nodiscard]] double held() const { return held_; }
    /// Discards the held input: the next input does not continue the stream.
    void reset();

private:
    struct Free {
        void operator()(GstAudioResampler *resampler) const { gst_audio_resampler_free(resampler); }
    };
    VariableResampler() = default;

    std::unique_ptr<GstAudioResampler, Free> handle_;
    unsigned channels_ = 0;
    std::size_t largest_input_ = 0;
    int out_rate_ = 0;
    double input_per_output_ = 1; // frames
    double held_ = 0;
    std::vector<float> output_;
};

} // namespace jkvm
