// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts packets of any format that jkvmaudiosink accepts to float samples and applies the
// volume.
#pragma once

#include "codec/opus_decoder.h"
#include "playback/playback_queue.h"

#include <optional>
#include <span>
#include <vector>

namespace jkvm {

/// Returned samples are interleaved at 48 kHz and valid until the next call. Thread-bound.
class StreamDecoder {
public:
    /// Decodes the data of an item. Empty if it holds no whole frame.
    std::span<const float> decode(const PlaybackFormat &format, std::span<const std::byte> data);
    /// Conceals lost audio of an Opus stream; see OpusFrameDecoder::conceal(). Empty for raw audio.
    std::span<const float> conceal(const PlaybackFormat &format, nanoseconds duration,
                                   std::span<const std::byte> next);
    /// Resets the decoder: the next packet does not continue the stream.
    void reset();

    /// Sets the volume factor, to which the next packet is ramped.
    void set_gain(double gain) { gain_target_ = static_cast<float>(gain); }

    /// Totals of all decoders so far.
    [[nodiscard]] OpusFrameDecoder::Counters counters() const;

private:
    OpusFrameDecoder *opus(unsigned channels);
    std::span<const float> apply_gain(std::span<const float> samples, unsigned channels);

    std::optional<OpusFrameDecoder> opus_;
    OpusFrameDecoder::Counters earlier_; // of previous decoders
    std::vector<float> raw_;
    std::vector<float> scaled_;
    float gain_ = 1;
    float gain_target_ = 1;
};

} // namespace jkvm
