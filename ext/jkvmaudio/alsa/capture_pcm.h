// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads captured samples in place from the memory of an ALSA device.
#pragma once

#include "alsa/alsa_device.h"
#include "core/device/driver_timestamps.h"
#include "core/device/rate_check.h"

#include <optional>
#include <span>
#include <utility>

namespace jkvm {

/// Thread-bound.
class CapturePcm {
public:
    enum class Outcome {
        ready,       ///< the samples are available
        timed_out,   ///< they were not available at the deadline
        interrupted, ///< the WaitControl is set
        overrun,     ///< samples are lost; the device was restarted
        suspended,   ///< the device needs resume()
        failed,      ///< error() has the reason
    };

    /// Opens and configures the device without starting it. Errors: as AlsaDevice::open().
    static Result<CapturePcm> open(const AlsaDevice::Config &config);

    /// Errors: device_lost.
    Status start();
    /// Stops the device and discards unread samples.
    void stop() { device_.stop(); }
    /// Resumes the device after Outcome::suspended.
    AlsaDevice::Resumed resume();

    /// Sets how many samples must be captured before the device wakes the thread.
    Status set_wake_threshold(std::size_t samples) { return device_.set_wake_threshold(samples); }
    /// Blocks until `samples` are available, until the deadline, or until the control is set.
    Outcome wait(const WaitControl &control, std::size_t samples, MonotonicTime deadline);
    /// The reason for the failure; valid after Outcome::failed.
    [[nodiscard]] const Error &error() const { return device_.error(); }

    /// Capture time of the oldest unread sample, as of the last wait().
    [[nodiscard]] MonotonicTime captured() const { return captured_; }
    /// Number of unread samples, as of the last wait().
    [[nodiscard]] std::size_t available() const { return available_; }
    /// Returns up to `samples` of the oldest unread samples, in the device's own memory: as many as
    /// are stored there contiguously. Empty if there are none or they cannot be read; the next
    /// wait() reports the reason.
    std::span<const std::byte> peek(std::size_t samples);
    /// Returns the memory of that many samples to the device.
    void commit(std::size_t samples);

    [[nodiscard]] const AlsaDevice::Format &format() const { return device_.format(); }
    [[nodiscard]] std::size_t bytes_per_sample() const { return device_.bytes_per_sample(); }
    [[nodiscard]] bool uses_driver_timestamps() const { return driver_timestamps_.are_used(); }
    /// The result of RateCheck since the last call.
    RateCheck::Event take_rate_event()
    {
        return std::exchange(rate_event_, RateCheck::Event::none);
    }
    /// Rate that RateCheck measured, Hz.
    [[nodiscard]] double measured_rate() const { return rate_check_.rate(); }
    /// Sets the rate (Hz) with which samples are converted to time, at first that of format().
    void set_rate(double rate) { rate_ = rate; }
    [[nodiscard]] nanoseconds to_time(std::size_t samples) const;

private:
    explicit CapturePcm(AlsaDevice device)
        : device_(std::move(device)), rate_check_(format().rate), rate_(format().rate)
    {}

    /// Resets the counters after the device was restarted.
    void restart_count();
    /// Passes a reading of the position to RateCheck. `due`: the planned time of
    /// the reading.
    void check_rate(snd_pcm_sframes_t available, MonotonicTime now, MonotonicTime due);
    void measure_age(snd_pcm_sframes_t available, snd_pcm_sframes_t delay, MonotonicTime now);
    /// Returns the time at which the device should have that many unread samples; the distant past
    /// if unknown.
    [[nodiscard]] MonotonicTime complete_at(std::size_t samples) const;
    Outcome recover(int code);

    AlsaDevice device_;
    snd_pcm_uframes_t offset_ = 0; // of the samples that peek() returned, in the ring
    DriverTimestamps driver_timestamps_;
    MonotonicTime captured_{};
    std::size_t available_ = 0;
    std::optional<MonotonicTime> measured_at_; // when the device had unread_ samples
    std::size_t unread_ = 0;                   // less the samples committed since then
    int peek_error_ = 0;                       // an ALSA error code
    std::uint64_t consumed_ = 0;               // samples committed since the start
    RateCheck rate_check_;
    RateCheck::Event rate_event_ = RateCheck::Event::none;
    double rate_; // Hz
};

} // namespace jkvm
