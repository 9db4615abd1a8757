// SPDX-License-Identifier: LGPL-2.1-or-later
// A capture device as a row of frames: 16-bit samples at 48 kHz, however the device has them.
#pragma once

#include "alsa/capture_pcm.h"
#include "alsa/sample_converter.h"

#include <optional>

namespace jkvm {

/// Where the device has what is wanted, a frame is read from its own memory. Thread-bound.
///
///     reader.start();
///     while (reader.wait(control, deadline) == CapturePcm::Outcome::ready) {
///         encode(reader.frame());
///         reader.release();
///     }
class CaptureFrameReader {
public:
    static constexpr unsigned rate = SampleConverter::rate;
    static constexpr std::size_t max_frame = std::size_t{rate} / 1000 * 60; ///< per channel
    static constexpr std::size_t history_samples = rate / 100;              ///< 10 ms
    static constexpr std::size_t max_unread = rate / 250;                   ///< 4 ms

    /// `config.channels`: of the frames. Errors: as CapturePcm::open().
    static Result<CaptureFrameReader> open(const CapturePcm::Config &config);

    /// Begins to count, from 0. Errors: device_lost.
    Status start();
    void stop() { pcm_.stop(); }
    /// After CapturePcm::Outcome::suspended; counts from 0 again.
    CapturePcm::Resumed resume();
    /// How long frames are from the next wait() on, in samples; at most max_frame.
    void set_frame(std::size_t samples);

    /// Waits for a frame; a frame that was not released is there at once. After an overrun it
    /// counts from 0 again.
    CapturePcm::Outcome wait(const WaitControl &control, MonotonicTime deadline);
    [[nodiscard]] const Error &error() const { return pcm_.error(); }

    /// After Outcome::ready: the frame, interleaved, until release() or drop().
    [[nodiscard]] std::span<const std::int16_t> frame() const { return frame_; }
    /// How much sound was counted before it.
    [[nodiscard]] nanoseconds position() const { return to_time(position_); }
    /// When its first sample was captured.
    [[nodiscard]] MonotonicTime captured() const { return captured_; }
    void release() { drop(frame_size_); }
    /// Forgets the first samples of the frame; the next one begins behind them.
    void drop(std::size_t samples);

    /// The frame begins so many samples earlier: they are read once more. At most max_unread.
    void unread(std::size_t samples);
    /// What was before the frame: history_samples of it, or nothing where there is less.
    [[nodiscard]] std::span<const std::int16_t> history() const;

    /// Sound in the ring when wait() returned.
    [[nodiscard]] nanoseconds backlog() const { return pcm_.to_time(pcm_.available()); }
    [[nodiscard]] const CapturePcm::Format &format() const { return pcm_.format(); }
    [[nodiscard]] bool is_converted() const { return converter_.has_value(); }
    [[nodiscard]] bool uses_driver_timestamps() const { return pcm_.uses_driver_timestamps(); }
    /// How much later than its last sample a frame may be complete: what converting adds, and the
    /// rest of a period where the device knows only whole ones.
    [[nodiscard]] nanoseconds delay() const;

private:
    CaptureFrameReader(CapturePcm pcm, std::optional<SampleConverter> converter, unsigned channels);

    static nanoseconds to_time(std::uint64_t samples)
    {
        return nanoseconds(std::chrono::seconds(samples)) / rate;
    }
    void restart_count();
    void remember(std::span<const std::int16_t> samples);
    /// Whether the frame lies in the device's memory in one piece.
    bool take_in_place();
    void take_staged();

    CapturePcm pcm_;
    std::optional<SampleConverter> converter_;
    unsigned channels_;
    std::size_t frame_size_ = 0;
    std::uint64_t position_ = 0; // of the next frame, in samples
    std::uint64_t consumed_ = 0; // samples of the device that are read
    std::span<const std::int16_t> frame_;
    bool is_in_place_ = false;
    MonotonicTime captured_{};
    std::vector<std::int16_t> staging_; // for what is converted, or wraps around the ring
    std::size_t staged_ = 0;            // samples per channel in it
    std::vector<std::int16_t> history_; // what was dropped and released last, the newest at the end
    std::size_t remembered_ = 0;        // samples per channel in it
};

} // namespace jkvm
