// SPDX-License-Identifier: LGPL-2.1-or-later
// An ALSA capture device, read in place.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/base/wait_control.h"
#include "core/device/driver_timestamps.h"

#include <alsa/asoundlib.h>

#include <poll.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace jkvm {

/// Memory-mapped, interleaved, in whatever format the device has that comes nearest to 16 bits at
/// 48 kHz. Thread-bound.
class CapturePcm {
public:
    struct Config {
        std::string device;         ///< ALSA's name of it: "hw:0,0"
        unsigned channels = 2;      ///< what would be best
        nanoseconds period{0};      ///< how often the device is to wake us
        nanoseconds buffer_time{0}; ///< of the ring, at least two periods
    };
    /// What the device granted.
    struct Format {
        snd_pcm_format_t sample = SND_PCM_FORMAT_S16_LE; ///< or S32_LE, S24_3LE, S24_LE
        unsigned rate = 0;                               ///< Hz, 8000 to 192000
        unsigned channels = 0;
        std::vector<unsigned> map = {}; ///< SND_CHMAP_... of each channel; empty = not known
        nanoseconds period{0};
        nanoseconds buffer_time{0};
        bool is_coarse = false; ///< it knows only whole periods
    };
    enum class Outcome {
        ready,       ///< there is as much as was asked for
        timed_out,   ///< there is not
        interrupted, ///< something is wanted of this thread
        overrun,     ///< samples are lost; the device runs again from now
        suspended,   ///< it waits for resume()
        failed,      ///< error() says why
    };
    enum class Resumed { running, not_yet, failed };

    /// Opens and configures, does not start. Errors: device_missing, _busy, _forbidden,
    /// _unsupported, each with what ALSA said.
    static Result<CapturePcm> open(const Config &config);

    /// Errors: device_lost.
    Status start();
    /// What was captured and not read is forgotten; start() begins anew.
    void stop();
    /// After Outcome::suspended. A driver that cannot resume is started anew.
    Resumed resume();

    /// The device is to wake the thread when there are so many samples.
    Status wake_at(std::size_t samples);
    /// Blocks until there are `samples`, until the deadline, or until something is wanted of this
    /// thread.
    Outcome wait(const WaitControl &control, std::size_t samples, MonotonicTime deadline);
    /// After Outcome::failed.
    [[nodiscard]] const Error &error() const { return error_; }

    /// After wait(): when the oldest unread sample was captured.
    [[nodiscard]] MonotonicTime captured() const { return captured_; }
    [[nodiscard]] std::size_t available() const { return available_; } ///< unread, then
    /// The oldest samples, in the device's own memory: as many of them as lie there in one piece.
    /// Empty when there are none, or they cannot be read, which the next wait() explains.
    std::span<const std::byte> peek(std::size_t samples);
    /// Gives the memory of that many samples back to the device.
    void commit(std::size_t samples);

    [[nodiscard]] const Format &format() const { return format_; }
    [[nodiscard]] std::size_t bytes_per_sample() const { return sample_bytes_; } ///< all channels
    [[nodiscard]] bool uses_driver_timestamps() const { return driver_timestamps_.are_used(); }
    [[nodiscard]] nanoseconds to_time(std::size_t samples) const;

private:
    struct Close {
        // Fails for a device that is gone, which is no news.
        void operator()(snd_pcm_t *pcm) const { snd_pcm_close(pcm); }
    };

    CapturePcm(std::string device, snd_pcm_t *handle) : device_(std::move(device)), handle_(handle) {}

    Status configure(const Config &config);
    Status configure_hardware(const Config &config);
    void read_map();
    void measure_age(snd_pcm_sframes_t available, snd_pcm_sframes_t delay);
    /// When the device should have so many unread samples, as far as that is known.
    [[nodiscard]] MonotonicTime complete_at(std::size_t samples) const;
    Outcome recover(int code);
    [[nodiscard]] Error make_error(ErrorKind kind, const std::string &call, int code) const;

    std::string device_;
    std::unique_ptr<snd_pcm_t, Close> handle_;
    Format format_;
    std::size_t sample_bytes_ = 0;
    std::vector<pollfd> poll_fds_; // the last one is the control's
    snd_pcm_uframes_t offset_ = 0; // of what peek() returned, in the ring
    DriverTimestamps driver_timestamps_;
    MonotonicTime captured_{};
    std::size_t available_ = 0;
    std::optional<MonotonicTime> asked_at_; // when the device had unread_ samples
    std::size_t unread_ = 0;                // less those that were read since
    int peek_error_ = 0;                    // of ALSA
    int recoveries_ = 0;                    // since the last samples
    Error error_{ErrorKind::device_lost, {}, {}};
};

} // namespace jkvm
