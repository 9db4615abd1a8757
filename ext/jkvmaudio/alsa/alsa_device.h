// SPDX-License-Identifier: LGPL-2.1-or-later
// An open ALSA PCM device of either direction: opens, configures, starts, resumes and recovers it.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/base/wait_control.h"

#include <alsa/asoundlib.h>

#include <poll.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace jkvm {

/// Memory-mapped and interleaved, in the device's format that is nearest to 16 bits at 48 kHz.
/// CapturePcm and PlaybackPcm transfer the samples. Thread-bound.
class AlsaDevice {
public:
    /// In the order of preference.
    static constexpr std::array sample_formats{SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S32_LE,
                                               SND_PCM_FORMAT_S24_3LE, SND_PCM_FORMAT_S24_LE};
    static constexpr unsigned minimum_rate = 8000; // Hz
    static constexpr unsigned maximum_rate = 192000;

    enum class Direction { capture, playback };
    struct Config {
        std::string device;         ///< ALSA name, for example "hw:0,0"
        unsigned channels = 2;      ///< preferred
        nanoseconds period{0};      ///< preferred interval of interrupts
        nanoseconds buffer_time{0}; ///< preferred size of the ring, at least two periods
    };
    /// The configuration that the device granted.
    struct Format {
        snd_pcm_format_t sample = SND_PCM_FORMAT_S16_LE; ///< one of sample_formats
        unsigned rate = 0;                               ///< Hz
        unsigned channels = 0;
        std::vector<unsigned> map = {}; ///< SND_CHMAP_... of each channel; empty = unknown
        nanoseconds period{0};
        nanoseconds buffer_time{0};
        bool is_coarse = false; ///< its position advances by whole periods
    };
    enum class Resumed { running, not_yet, failed };
    enum class Recovery {
        restarted, ///< after an xrun; samples are lost and counting starts over
        suspended, ///< it needs resume()
        failed,    ///< error() has the reason
    };

    /// Opens and configures the device without starting it. Errors: device_missing, _busy,
    /// _forbidden, _unsupported, out_of_resources, each with ALSA's reason.
    static Result<AlsaDevice> open(Direction direction, const Config &config);

    /// Errors: device_lost.
    Status start();
    /// Stops the device and discards the content of its ring; start() starts it again.
    void stop();
    /// Resumes the device after Recovery::suspended; restarts it if the driver cannot resume.
    Resumed resume();
    /// Handles the error code of an ALSA call. Gives up after 10 xruns without a transfer between
    /// them.
    Recovery recover(int code);
    /// Records that samples were read or written since the last recovery.
    void on_transfer() { recoveries_ = 0; }

    /// Sets how many samples must be ready before the device wakes the poll.
    Status set_wake_threshold(std::size_t samples);
    /// Blocks until the device has an event, the control is set, or `timeout` is over.
    void poll(const WaitControl &control, nanoseconds timeout);

    [[nodiscard]] snd_pcm_t *handle() const { return handle_.get(); } ///< borrowed
    [[nodiscard]] const std::string &name() const { return name_; }
    [[nodiscard]] const Format &format() const { return format_; }
    [[nodiscard]] std::size_t bytes_per_sample() const { return sample_bytes_; } ///< all channels
    /// The reason for the failure; valid after Recovery::failed.
    [[nodiscard]] const Error &error() const { return error_; }

private:
    struct Close {
        // Closing an unplugged device fails; the error is ignored because nothing can be done.
        void operator()(snd_pcm_t *pcm) const { snd_pcm_close(pcm); }
    };

    AlsaDevice(Direction direction, std::string name, snd_pcm_t *handle)
        : direction_(direction), name_(std::move(name)), handle_(handle)
    {}

    Status configure(const Config &config);
    Status configure_hardware(const Config &config);
    Status choose_layout(snd_pcm_hw_params_t *hw, const Config &config);
    Status choose_buffer(snd_pcm_hw_params_t *hw, const Config &config);
    Status configure_software();
    void read_channel_map();
    void log_format() const;
    [[nodiscard]] Error make_error(ErrorKind kind, const std::string &call, int code) const;

    Direction direction_;
    std::string name_;
    std::unique_ptr<snd_pcm_t, Close> handle_;
    Format format_;
    std::size_t sample_bytes_ = 0;
    std::vector<pollfd> poll_fds_; // the last one is the control's
    int recoveries_ = 0;           // since the last transfer
    Error error_{ErrorKind::device_lost, {}, {}};
};

} // namespace jkvm
