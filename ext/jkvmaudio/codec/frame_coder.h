// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns a captured frame into output: applies the volume, measures the level, encodes to Opus.
#pragma once

#include "codec/opus_encoder.h"
#include "core/device/gain.h"
#include "core/opus/opus_packet.h"
#include "core/stats/latency_monitor.h"

#include <optional>
#include <vector>

namespace jkvm {

/// Does not allocate after apply(). Thread-bound.
class FrameCoder {
public:
    enum class Output { opus, samples };

    /// The result for one frame.
    struct Coded {
        std::size_t size; ///< bytes written
        nanoseconds time; ///< of processing
        bool is_opus;
        std::optional<OpusPacketFacts> facts; ///< of a packet that is not DTX
        std::optional<Levels> levels;         ///< after the volume, for one frame per 200 ms
    };
    /// Totals of the frames added.
    struct Stats {
        void add(const Coded &coded);

        std::uint64_t frames = 0;
        std::uint64_t bytes = 0;
        std::uint64_t dtx_frames = 0;   ///< packets without audio
        nanoseconds processing_time{0}; ///< of all frames
        LatencyMonitor encode_time;
        Levels levels; ///< after the volume, of a frame of about the last 200 ms
        std::optional<OpusPacketFacts> last; ///< packet that is not DTX
    };

    /// `channels`: of the samples.
    explicit FrameCoder(unsigned channels);

    /// Takes effect with the next frame. A change of the audio type replaces the encoder.
    /// Errors: `encoder_setup`.
    Status apply(const EncoderSettings &settings);
    void set_output(Output output) { output_ = output; }
    void set_gain(double gain) { gain_.set(gain); }
    /// Makes the next packet decodable without the one before.
    void request_independent_packet() { needs_independent_packet_ = true; }

    /// Writes the frame to `to`. `samples`: one frame, interleaved; `is_silence`: all of them are
    /// 0. `history`: the 10 ms before it, or empty; they prime a new encoder to avoid a click.
    /// Errors: `encode_failed`.
    Result<Coded> code(std::span<const std::int16_t> samples, bool is_silence,
                       std::span<const std::int16_t> history, std::span<std::byte> to);

    [[nodiscard]] Output output() const { return output_; }
    [[nodiscard]] const EncoderSettings &settings() const { return encoder_->settings(); }
    [[nodiscard]] std::size_t frame_samples() const { return encoder_->frame_samples(); }
    /// Delay of the decoder's output after the samples that were encoded.
    [[nodiscard]] nanoseconds look_ahead() const
    {
        return output_ == Output::opus ? encoder_->look_ahead() : nanoseconds(0);
    }
    [[nodiscard]] int pre_skip() const { return encoder_->pre_skip(); }

private:
    std::span<const std::int16_t> apply_volume(std::span<const std::int16_t> samples,
                                               bool is_silence);

    unsigned channels_;
    Output output_ = Output::opus;
    std::optional<OpusFrameEncoder> encoder_;
    bool is_new_ = false; // it replaces an encoder and has encoded nothing yet
    bool needs_independent_packet_ = false;
    Gain gain_;
    std::vector<std::int16_t> scaled_; // the frame after the volume
    std::size_t unmeasured_;           // samples per channel since the last level measurement
};

} // namespace jkvm
