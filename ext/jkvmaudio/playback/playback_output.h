// SPDX-License-Identifier: LGPL-2.1-or-later
// A playback device and its control loop: writes samples so that each one plays at its due time.
#pragma once

#include "alsa/pitch_control.h"
#include "alsa/playback_pcm.h"
#include "core/playback/playback_clock.h"
#include "core/playback/playback_control.h"
#include "core/playback/pointer_edge_detector.h"
#include "core/playback/pointer_stall_detector.h"
#include "playback/variable_resampler.h"

#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace jkvm {

/// The device always runs: without audio it plays silence. After a start the loop first learns the
/// device's clock from three movements of its pointer. Thread-bound.
class PlaybackOutput {
public:
    /// Silence is added when the ring holds less than this.
    static constexpr nanoseconds reserve = std::chrono::milliseconds(10);
    /// A step of the timestamps beyond this is corrected at once, a smaller one by resampling.
    static constexpr nanoseconds largest_step = std::chrono::milliseconds(5);

    /// `follows_clock`: whether playback follows the device's clock and the timestamps, by setting
    /// the device's pitch if `open_pitch_control` returns a control for it, else by resampling.
    PlaybackOutput(bool follows_clock, PitchControlFactory open_pitch_control)
        : follows_clock_(follows_clock), open_pitch_control_(std::move(open_pitch_control))
    {
        control_.set_following(follows_clock);
    }

    Status open(const AlsaDevice::Config &config);
    void close()
    {
        pitch_control_.reset();
        pcm_.reset();
    }
    [[nodiscard]] bool is_open() const { return pcm_.has_value(); }

    /// Starts or restarts the open device and discards written audio.
    Status start();
    void stop() { pcm_->stop(); }
    /// Resumes the device; the ring's content is old and is discarded.
    AlsaDevice::Resumed resume();

    /// Reads the pointer.
    PlaybackPcm::Outcome update();
    [[nodiscard]] const Error &error() const { return pcm_->error(); }
    /// Whether the device's clock is known, so that audio can be written.
    [[nodiscard]] bool is_ready() const { return pcm_ && clock_.observations() >= needed_edges; }
    /// Whether the pointer has moved since the last start.
    [[nodiscard]] bool has_moved() const { return pcm_ && pcm_->pointer() > 0; }
    [[nodiscard]] bool is_stalled(MonotonicTime now) const { return stall_.is_stalled(now); }

    /// Remaining playing time of the written audio, including silence. Requires is_ready().
    [[nodiscard]] nanoseconds ahead(MonotonicTime now) const;
    /// Whether that many frames of the stream fit into the ring.
    [[nodiscard]] bool has_room(std::size_t stream_frames) const;
    /// Adds silence if the ring runs low. Returns whether it did so after audio.
    bool keep_playing(MonotonicTime now);
    /// Sets by how much longer than nominal the following samples have to be played, in ppm.
    void set_stretch(double ppm) { stretch_ = ppm; }
    /// Writes samples of the stream, the first of them due at that time. Returns false if all of
    /// them are late and were dropped. Requires is_ready().
    bool write(std::span<const float> samples, unsigned channels, std::optional<MonotonicTime> due);
    /// When the sample behind the last one written is due; nothing after silence.
    [[nodiscard]] std::optional<MonotonicTime> next_due() const { return next_due_; }
    /// Plays the samples held by the resampler at the end of a stream.
    void finish();
    /// Removes written audio from the ring, as far as the hardware has not fetched it.
    void discard();

    /// Time at which the pointer has to be read again.
    [[nodiscard]] MonotonicTime next_update(MonotonicTime now) const;
    /// Time at which the last sample of the stream is played.
    [[nodiscard]] MonotonicTime playout_end() const;
    /// Delay of the resampler, the driver and the hardware. Changes only when the driver's delay
    /// has changed by more than 1 ms.
    [[nodiscard]] nanoseconds delay() const;
    /// Position of the device's clock as of the last update() that has observed it.
    struct Position {
        nanoseconds position; ///< played since the device was started
        MonotonicTime time;
    };
    [[nodiscard]] std::optional<Position> take_position()
    {
        return std::exchange(position_, std::nullopt);
    }
    [[nodiscard]] const AlsaDevice::Format &format() const { return pcm_->format(); }
    [[nodiscard]] double ratio_ppm() const { return 1e6 * (ratio_ - 1); }
    /// Pitch that the device was told to have, less 1.
    [[nodiscard]] double pitch_ppm() const { return 1e6 * (clock_.pitch() - 1); }
    [[nodiscard]] double drift_ppm() const { return clock_.ppm(); }
    [[nodiscard]] nanoseconds playout_error() const { return control_.error(); }
    [[nodiscard]] std::uint64_t realignments() const { return realignments_; }

private:
    static constexpr unsigned needed_edges = 3;

    /// Requires that the pointer was just read.
    void measure_driver_delay();
    /// Bypassing the resampler is bit-exact, but its delay differs, so it is never toggled.
    [[nodiscard]] bool needs_resampler() const;
    bool prepare_resampler(unsigned channels);
    /// Corrects the playout time by that many frames: inserts silence if positive, removes silence
    /// from the end of the ring if negative. Returns how many frames have to be dropped in
    /// addition.
    std::size_t shift(std::int64_t silence, MonotonicTime now);
    void add_silence(std::size_t frames);
    /// Makes the device play the samples as fast as that resampling ratio would.
    void set_pitch_for(double ratio);
    void write_resampled(std::span<const float> samples);

    std::optional<PlaybackPcm> pcm_;
    std::optional<VariableResampler> resampler_;
    unsigned channels_ = 0; // of the resampler
    PlaybackClock clock_{48000};
    PointerEdgeDetector edges_{48000};
    PointerStallDetector stall_{nanoseconds(0)};
    PlaybackControl control_;
    MonotonicTime search_from_{};           // of the next edge
    std::optional<MonotonicTime> next_due_; // of the sample behind those that were written
    std::size_t silence_tail_ = 0;          // frames of silence at the end of what was written
    bool follows_clock_;
    PitchControlFactory open_pitch_control_;
    std::unique_ptr<PitchControl> pitch_control_;
    MonotonicTime pitch_set_{};
    double stretch_ = 0; // ppm
    double ratio_ = 1;
    std::uint64_t realignments_ = 0;
    std::optional<Position> position_;               // not taken yet
    std::optional<nanoseconds> mean_driver_delay_{}; // over about 16 measurements
    nanoseconds driver_delay_{0};                    // that is accounted for
};

} // namespace jkvm
