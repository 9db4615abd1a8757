// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads frames of 16-bit samples at 48 kHz from a capture device of any format.
#pragma once

#include "alsa/capture_pcm.h"
#include "alsa/sample_converter.h"

#include <optional>
#include <utility>

namespace jkvm {

/// Frames need no copy if the device itself has that format. Thread-bound.
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
    static Result<CaptureFrameReader> open(const AlsaDevice::Config &config);

    /// Starts the device; counting starts at 0. Errors: device_lost.
    Status start();
    void stop() { pcm_.stop(); }
    /// Resumes the device after CapturePcm::Outcome::suspended; counting restarts at 0.
    AlsaDevice::Resumed resume();
    /// Sets the length of frames from the next wait() on, in samples; at most max_frame.
    void set_frame(std::size_t samples);

    /// Waits for a frame; returns at once if the last one was not released. After an overrun
    /// counting starts at 0 again.
    CapturePcm::Outcome wait(const WaitControl &control, MonotonicTime deadline);
    [[nodiscard]] const Error &error() const { return pcm_.error(); }

    /// After Outcome::ready: the frame, interleaved, until release() or drop().
    [[nodiscard]] std::span<const std::int16_t> frame() const { return frame_; }
    /// Duration of the samples between the start of the device and the frame.
    [[nodiscard]] nanoseconds position() const { return to_time(position_); }
    /// Capture time of the frame's first sample.
    [[nodiscard]] MonotonicTime captured() const { return captured_; }
    void release() { drop(frame_size_); }
    /// Discards the first samples of the frame; the next frame starts after them.
    void drop(std::size_t samples);

    /// Moves the start of the next frame back by that many samples, at most max_unread, which are
    /// read once more.
    void unread(std::size_t samples);
    /// The history_samples before the frame; empty if fewer are known.
    [[nodiscard]] std::span<const std::int16_t> history() const;

    /// Reports that the device's measured rate differs from the reported one, or no longer differs.
    struct RateReport {
        double measured;   ///< Hz; the reported rate if it is right again
        unsigned reported; ///< Hz
    };
    /// The report since the last call, if any. The frames are converted from the measured rate.
    std::optional<RateReport> take_rate_report() { return std::exchange(rate_report_, {}); }
    /// The device's rate, Hz: the reported one, or the measured one if that differs.
    [[nodiscard]] double device_rate() const { return pcm_.measured_rate(); }

    /// Duration of the unread samples when wait() returned.
    [[nodiscard]] nanoseconds backlog() const { return pcm_.to_time(pcm_.available()); }
    [[nodiscard]] const AlsaDevice::Format &format() const { return pcm_.format(); }
    [[nodiscard]] bool is_converted() const { return converter_.has_value(); }
    [[nodiscard]] bool uses_driver_timestamps() const { return pcm_.uses_driver_timestamps(); }
    /// Maximum time from a frame's last sample until it is complete: the converter's delay, and the
    /// rest of a period if the device counts whole periods.
    [[nodiscard]] nanoseconds delay() const;

private:
    CaptureFrameReader(CapturePcm pcm, std::optional<SampleConverter> converter, unsigned channels);

    static nanoseconds to_time(std::uint64_t samples)
    {
        return nanoseconds(std::chrono::seconds(samples)) / rate;
    }
    void restart_count();
    /// Adapts the conversion to the measured rate.
    void on_rate_event(RateCheck::Event event);
    void set_device_rate(double device_rate);
    void set_wake_threshold();
    /// Duration of the samples read from the device that are not output yet.
    [[nodiscard]] nanoseconds read_ahead() const
    {
        return read_ahead_base_ + pcm_.to_time(consumed_ - consumed_base_) -
               to_time(position_ - position_base_);
    }
    void remember(std::span<const std::int16_t> samples);
    /// Takes the frame from the device's memory if it is contiguous there.
    bool take_in_place();
    void take_staged();

    CapturePcm pcm_;
    std::optional<SampleConverter> converter_;
    unsigned channels_;
    std::size_t frame_size_ = 0;
    std::uint64_t position_ = 0; // of the next frame, in samples
    std::uint64_t consumed_ = 0; // device samples read
    // Values at the last change of the device's rate.
    std::uint64_t position_base_ = 0;
    std::uint64_t consumed_base_ = 0;
    nanoseconds read_ahead_base_{0};
    std::optional<RateReport> rate_report_;
    std::span<const std::int16_t> frame_;
    bool is_in_place_ = false;
    MonotonicTime captured_{};
    std::vector<std::int16_t> staging_; // samples that are converted, or wrap around the ring
    std::size_t staged_ = 0;            // samples per channel in it
    std::vector<std::int16_t> history_; // samples dropped or released last, oldest first
    std::size_t remembered_ = 0;        // samples per channel in it
};

} // namespace jkvm
