// SPDX-License-Identifier: LGPL-2.1-or-later
// A playback device and its control loop: writes samples so that each one plays at its due time.
#pragma once

#include "alsa/pitch_control.h"
#include "alsa/playback_pcm.h"
#include "core/playback/driver_delay.h"
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

/// The device always runs: without audio it plays silence. After a start, audio is not written
/// before three movements of the pointer have been observed. Thread-bound.
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
    /// Resumes the device after a system suspend and discards the ring's outdated content.
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
    /// Whether writing has failed since the last update(), which handles the error. Packets that
    /// are written until then are lost.
    [[nodiscard]] bool has_failed() const { return pcm_ && pcm_->has_failed(); }
    /// Whether that many frames of the stream fit into the ring.
    [[nodiscard]] bool has_room(std::size_t stream_frames) const;
    /// Adds silence if the ring runs low. Returns whether the silence follows audio directly.
    bool keep_playing(MonotonicTime now);
    /// Sets how much longer than nominal the following samples have to be played, in ppm.
    void set_stretch(double ppm) { stretch_ = ppm; }
    /// Writes samples of the stream. `due`: of the first sample; nothing: directly after the
    /// written audio. Returns false if all of them are late and were dropped. Requires is_ready().
    bool write(std::span<const float> samples, unsigned channels, std::optional<MonotonicTime> due);
    /// Due time of the sample that follows the last one written; nothing after silence.
    [[nodiscard]] std::optional<MonotonicTime> next_due() const { return next_due_; }
    /// Plays the samples held by the resampler at the end of a stream.
    void finish();
    /// Removes the written audio that the hardware has not fetched yet from the ring.
    void discard();

    /// Time at which the pointer has to be read again.
    [[nodiscard]] MonotonicTime next_update(MonotonicTime now) const;
    /// Time at which the last sample of the stream is played.
    [[nodiscard]] MonotonicTime playout_end() const;
    /// Delay of the resampler, the driver and the hardware. Changes only when the driver's delay
    /// has changed by more than 1 ms.
    [[nodiscard]] nanoseconds delay() const;
    /// The device's position when its clock was last observed.
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
    /// Deviation of the device's pitch control from 1.
    [[nodiscard]] double pitch_ppm() const { return 1e6 * (clock_.pitch() - 1); }
    [[nodiscard]] double drift_ppm() const { return clock_.ppm(); }
    [[nodiscard]] nanoseconds playout_error() const { return control_.error(); }
    [[nodiscard]] std::uint64_t realignments() const { return realignments_; }

private:
    static constexpr unsigned needed_edges = 3;

    /// Constant as long as the device is open and its pitch control works, because playback with
    /// and without the resampler differs in delay.
    [[nodiscard]] bool needs_resampler() const;
    bool prepare_resampler(unsigned channels);
    /// Shifts the playout time by `silence` frames: inserts silence if positive; if negative,
    /// removes silence from the end of the ring, and returns how many frames of the packet have to
    /// be dropped in addition.
    std::size_t shift(std::int64_t silence, MonotonicTime now);
    void add_silence(std::size_t frames);
    /// Sets the device's pitch so that samples play as fast as if resampled by `ratio`.
    void set_pitch_for(double ratio);
    void write_resampled(std::span<const float> samples);

    std::optional<PlaybackPcm> pcm_;
    std::optional<VariableResampler> resampler_;
    unsigned channels_ = 0; // of the resampler
    PlaybackClock clock_{48000};
    PointerEdgeDetector edges_{48000};
    PointerStallDetector stall_{nanoseconds(0)};
    PlaybackControl control_;
    MonotonicTime search_from_{};           // earliest time of the next edge
    std::optional<MonotonicTime> next_due_; // see next_due()
    std::size_t silence_tail_ = 0;          // frames of silence after the last written audio
    bool follows_clock_;
    PitchControlFactory open_pitch_control_;
    std::unique_ptr<PitchControl> pitch_control_;
    MonotonicTime pitch_set_{};
    DriverDelay driver_delay_;
    double stretch_ = 0; // ppm
    double ratio_ = 1;
    std::uint64_t realignments_ = 0;
    std::optional<Position> position_; // not taken yet
};

} // namespace jkvm
