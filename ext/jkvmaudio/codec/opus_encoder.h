// SPDX-License-Identifier: LGPL-2.1-or-later
// libopus with its settings checked and its state owned.
#pragma once

#include "core/base/result.h"
#include "core/opus/encoder_settings.h"

#include <opus.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace jkvm {

/// One encoder serves every setting but the audio type: libopus lets the rate of the stream, the
/// number of coded channels and the frame length change from frame to frame, and goes over from one
/// to the other without a step in the sound. So it always takes 48 kHz, and a lower rate is a
/// narrower band. Thread-bound.
class OpusFrameEncoder {
public:
    static constexpr unsigned rate = 48000;                  ///< Hz, of what it takes
    static constexpr std::size_t prime_samples = rate / 100; ///< per channel, for prime()
    /// RFC 6716, 3.2.1: 1275 bytes for each of the codec's own frames, of at most 20 ms, and 7
    /// to say how three of them are packed.
    static constexpr std::size_t max_packet_size = 3 * 1275 + 7;

    /// `channels`: of the sound that it takes, 1 or 2.
    /// Errors: `encoder_setup`, with the setting that was refused.
    static Result<OpusFrameEncoder> create(unsigned channels, const EncoderSettings &settings);

    /// From the next frame on. The audio type is the one that the encoder was created with.
    /// Errors: as create().
    Status apply(const EncoderSettings &settings);

    /// Hears the 10 ms of sound before its first frame, as if it had coded them.
    void prime(std::span<const std::int16_t> samples);

    /// `samples` is exactly one frame, interleaved; `packet` has room for max_packet_size bytes;
    /// `alone`: it is for a decoder that has not heard the last one, and a little larger.
    /// The size of the packet, at least 1. Errors: `encode_failed`.
    Result<std::size_t> encode(std::span<const std::int16_t> samples, std::span<std::byte> packet,
                               bool alone);

    [[nodiscard]] const EncoderSettings &settings() const { return settings_; }
    [[nodiscard]] std::size_t frame_samples() const; ///< per channel
    /// By how much what a decoder puts out lags behind what came in here.
    [[nodiscard]] nanoseconds look_ahead() const { return look_ahead_; }
    /// The same, in samples at 48 kHz, as the Ogg header needs it.
    [[nodiscard]] int pre_skip() const;

private:
    struct Destroy {
        void operator()(OpusEncoder *encoder) const { opus_encoder_destroy(encoder); }
    };
    using Handle = std::unique_ptr<OpusEncoder, Destroy>;

    explicit OpusFrameEncoder(Handle handle) : handle_(std::move(handle)) {}

    Handle handle_;
    EncoderSettings settings_;
    nanoseconds look_ahead_{0};
};

} // namespace jkvm
