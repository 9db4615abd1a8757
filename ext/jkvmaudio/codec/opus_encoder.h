// SPDX-License-Identifier: LGPL-2.1-or-later
// Owns a libopus encoder and reports the settings that it refuses.
#pragma once

#include "core/base/result.h"
#include "core/opus/encoder_settings.h"

#include <opus.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace jkvm {

/// One encoder serves every setting but the audio type: libopus accepts changes of the bandwidth,
/// the number of encoded channels and the frame length between frames and cross-fades them. So the
/// input is always 48 kHz, and a lower rate of the stream is a narrower bandwidth. Thread-bound.
class OpusFrameEncoder {
public:
    static constexpr unsigned rate = 48000;                  ///< Hz, of the input
    static constexpr std::size_t prime_samples = rate / 100; ///< per channel, for prime()
    /// RFC 6716, 3.2.1: 1275 bytes for each codec frame of at most 20 ms, and 7 bytes that describe
    /// how three of them are packed.
    static constexpr std::size_t max_packet_size = 3 * 1275 + 7;

    /// `channels`: of the input, 1 or 2.
    /// Errors: `encoder_setup`, naming the setting that was refused.
    static Result<OpusFrameEncoder> create(unsigned channels, const EncoderSettings &settings);

    /// Takes effect with the next frame. The audio type stays that of create().
    /// Errors: as create().
    Status apply(const EncoderSettings &settings);

    /// Encodes the 10 ms before the first frame and discards the packet.
    void prime(std::span<const std::int16_t> samples);

    /// Encodes exactly one interleaved frame into `packet`, which has room for max_packet_size
    /// bytes. Returns the size of the packet, at least 1. An `independent` packet is a little
    /// larger and can be decoded without the one before. Errors: `encode_failed`.
    Result<std::size_t> encode(std::span<const std::int16_t> samples, std::span<std::byte> packet,
                               bool independent);

    [[nodiscard]] const EncoderSettings &settings() const { return settings_; }
    [[nodiscard]] std::size_t frame_samples() const; ///< per channel
    /// Delay of the decoder's output after the input.
    [[nodiscard]] nanoseconds look_ahead() const { return look_ahead_; }
    /// The same in samples at 48 kHz, for the Ogg header.
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
