// SPDX-License-Identifier: LGPL-2.1-or-later
// libopus with its settings checked and its state owned.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"

#include <opus.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace jkvm {

class OpusFrameEncoder {
public:
    /// The defaults are the preset "medium" of the output path.
    struct Config {
        int rate = 48000; ///< Hz: 8000, 12000, 16000, 24000 or 48000
        int channels = 2;
        nanoseconds frame = std::chrono::milliseconds(20); ///< 2.5, 5, 10, 20, 40 or 60 ms
        int bitrate = 96000;                               ///< bit/s
        int complexity = 2;                                ///< 0..10
    };

    /// Errors: `encoder_setup`, with the setting that was refused.
    static Result<OpusFrameEncoder> create(const Config &config);

    /// `samples` is exactly one frame, interleaved; `packet` has room for max_packet_size() bytes.
    /// The size of the packet, at least 1. Errors: `encode_failed`.
    Result<std::size_t> encode(std::span<const std::int16_t> samples, std::span<std::byte> packet);

    [[nodiscard]] const Config &config() const { return config_; }
    [[nodiscard]] std::size_t frame_samples() const { return frame_samples_; } ///< per channel
    /// By how much what a decoder puts out lags behind what came in here.
    [[nodiscard]] nanoseconds look_ahead() const { return look_ahead_; }
    /// The same, in samples at 48 kHz, as the Ogg header needs it.
    [[nodiscard]] int pre_skip() const;
    [[nodiscard]] std::size_t max_packet_size() const;

private:
    struct Destroy {
        void operator()(OpusEncoder *encoder) const { opus_encoder_destroy(encoder); }
    };
    using Handle = std::unique_ptr<OpusEncoder, Destroy>;

    OpusFrameEncoder(const Config &config, Handle handle)
        : config_(config), handle_(std::move(handle))
    {}

    Config config_;
    Handle handle_;
    std::size_t frame_samples_ = 0;
    nanoseconds look_ahead_{0};
};

} // namespace jkvm
