// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts a device's samples to 16 bits at 48 kHz with GStreamer's audio converter.
#pragma once

#include "alsa/alsa_device.h"
#include "core/base/result.h"

#include <gst/audio/audio.h>

#include <memory>
#include <span>

namespace jkvm {

/// Thread-bound.
class SampleConverter {
public:
    static constexpr unsigned rate = 48000; ///< Hz, of the output

    /// Whether the format differs from 16-bit samples at 48 kHz with that many channels.
    static bool is_needed(const AlsaDevice::Format &from, unsigned channels);
    /// `channels`: of the output. Errors: device_unsupported, naming `device`.
    /// `is_adjustable`: the input rate may be changed later, which takes more CPU time.
    static Result<SampleConverter> create(const std::string &device, const AlsaDevice::Format &from,
                                          unsigned channels, bool is_adjustable = false);

    /// Changes the input rate (Hz) of an adjustable converter without a gap.
    void set_input_rate(unsigned input_rate);
    [[nodiscard]] bool is_adjustable() const { return is_adjustable_; }

    /// Returns the number of input samples needed for that many more output samples, at least 1.
    /// May be a few too low.
    [[nodiscard]] std::size_t input_for(std::size_t output) const;
    /// Converts whole samples and returns the number of output samples, for which `output` must
    /// have room.
    std::size_t convert(std::span<const std::byte> input, std::span<std::int16_t> output);
    /// Discards the samples that the resampler holds.
    void reset() { gst_audio_converter_reset(handle_.get()); }
    /// Delay of the resampler.
    [[nodiscard]] nanoseconds delay() const { return delay_; }

private:
    struct Free {
        void operator()(GstAudioConverter *converter) const { gst_audio_converter_free(converter); }
    };
    std::unique_ptr<GstAudioConverter, Free> handle_;
    std::size_t input_bytes_ = 0; // of one sample, all channels
    nanoseconds delay_{0};
    unsigned input_rate_ = rate;
    bool is_adjustable_ = false;
};

} // namespace jkvm
