// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes 16-bit sound at 48 kHz of what a device gives; GStreamer's converter does the work.
#pragma once

#include "alsa/capture_pcm.h"
#include "core/base/result.h"

#include <gst/audio/audio.h>

namespace jkvm {

/// Thread-bound.
class SampleConverter {
public:
    static constexpr unsigned rate = 48000; ///< Hz, of what comes out

    /// Whether there is anything to convert.
    static bool is_needed(const CapturePcm::Format &from, unsigned channels);
    /// `channels`: of what comes out. Errors: device_unsupported, naming `device`.
    static Result<SampleConverter> create(const std::string &device, const CapturePcm::Format &from,
                                          unsigned channels);

    /// How many samples have to go in before so many more come out; a few less at times, at
    /// least 1.
    [[nodiscard]] std::size_t input_for(std::size_t output) const;
    /// Takes `input`, whole samples; returns how many came out. `output` has room for them.
    std::size_t convert(std::span<const std::byte> input, std::span<std::int16_t> output);
    /// What went in is forgotten.
    void reset() { gst_audio_converter_reset(handle_.get()); }
    /// How long the resampler has to look ahead.
    [[nodiscard]] nanoseconds delay() const { return delay_; }

private:
    struct Free {
        void operator()(GstAudioConverter *converter) const { gst_audio_converter_free(converter); }
    };
    std::unique_ptr<GstAudioConverter, Free> handle_;
    std::size_t input_bytes_ = 0; // of one sample, all channels
    nanoseconds delay_{0};
};

} // namespace jkvm
