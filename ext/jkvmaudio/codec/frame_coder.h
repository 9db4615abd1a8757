// SPDX-License-Identifier: LGPL-2.1-or-later
// From a captured frame to what goes out: volume, level, and Opus or the samples themselves.
#pragma once

#include "codec/opus_encoder.h"
#include "core/device/gain.h"
#include "core/opus/opus_packet.h"
#include "core/stats/latency_monitor.h"

#include <optional>
#include <vector>

namespace jkvm {

/// Allocates nothing once it is set up. Thread-bound.
class FrameCoder {
public:
    enum class Output { opus, samples };

    /// What became of a frame.
    struct Coded {
        std::size_t size; ///< bytes written
        nanoseconds time; ///< that it took
        bool is_opus;
        std::optional<OpusPacketFacts> facts; ///< of a packet that has sound in it
        std::optional<Levels> levels;         ///< after the volume; of a frame in about 200 ms
    };
    /// Of those that are added.
    struct Stats {
        void add(const Coded &coded);

        std::uint64_t frames = 0;
        std::uint64_t bytes = 0;
        std::uint64_t dtx_frames = 0;   ///< packets that say only that it is quiet
        nanoseconds processing_time{0}; ///< of all frames
        LatencyMonitor encode_time;
        Levels levels; ///< of a frame of about the last 200 ms, after the volume
        std::optional<OpusPacketFacts> last; ///< packet that had sound in it
    };

    /// `channels`: of the sound.
    explicit FrameCoder(unsigned channels);

    /// From the next frame on. Another audio type means another encoder.
    /// Errors: `encoder_setup`.
    Status apply(const EncoderSettings &settings);
    void set_output(Output output) { output_ = output; }
    void set_gain(double gain) { gain_.set(gain); }
    /// The next packet is to be understood by a decoder that has not heard the last one.
    void begin_anew() { is_fresh_ = true; }

    /// `samples`: one frame, interleaved; `is_silence`: it is all 0. `history`: the 10 ms before
    /// it, or nothing; a new encoder hears them first, so that the sound has no step.
    /// Errors: `encode_failed`.
    Result<Coded> code(std::span<const std::int16_t> samples, bool is_silence,
                       std::span<const std::int16_t> history, std::span<std::byte> to);

    [[nodiscard]] Output output() const { return output_; }
    [[nodiscard]] const EncoderSettings &settings() const { return encoder_->settings(); }
    [[nodiscard]] std::size_t frame_samples() const { return encoder_->frame_samples(); }
    /// By how much what comes out at the other end lags behind what went in.
    [[nodiscard]] nanoseconds look_ahead() const
    {
        return output_ == Output::opus ? encoder_->look_ahead() : nanoseconds(0);
    }
    [[nodiscard]] int pre_skip() const { return encoder_->pre_skip(); }

private:
    std::span<const std::int16_t> turn_volume(std::span<const std::int16_t> samples,
                                              bool is_silence);

    unsigned channels_;
    Output output_ = Output::opus;
    std::optional<OpusFrameEncoder> encoder_;
    bool is_new_ = false;   // the encoder has coded nothing yet, the last one has
    bool is_fresh_ = false; // see begin_anew()
    Gain gain_;
    std::vector<std::int16_t> turned_; // the frame after the volume
    std::size_t unmeasured_;           // samples per channel since the levels were
};

} // namespace jkvm
