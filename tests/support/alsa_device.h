// SPDX-License-Identifier: LGPL-2.1-or-later
// Provides a private instance of the virtual ALSA device "jkvmtest" for one test: its device
// string, its commands and its log.
#pragma once

#include "alsa/device_time.h"
#include "core/base/unique_fd.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace jkvm::testing {

/// Owns the control directory of a PCM "jkvmtest". alsa/commands.h lists the commands and the
/// events in the log. The process that opens device() needs the environment `alsa_test_env` of
/// tests/alsa/meson.build. File system errors throw.
///
/// Commands stay in the FIFO until a PCM reads them, so they may be sent before it is opened
/// (except for xrun, suspend and gap, which need a running stream).
class TestPcm {
public:
    struct Options {
        std::string file = {};   ///< WAV file to play; empty = tone
        double frequency = 997;  ///< frequency of the tone (Hz)
        unsigned rate = 0;       ///< only rate offered (Hz); 0 = all
        unsigned channels = 0;   ///< only channel count offered; 0 = all
        std::string format = {}; ///< only sample format offered, e.g. "S16_LE"; empty = all
        /// Loopback file: audio played on a device with this path is captured from the others.
        std::string loopback = {};
    };

    TestPcm() : TestPcm(Options{}) {}
    explicit TestPcm(const Options &options);
    ~TestPcm();
    TestPcm(const TestPcm &) = delete;
    TestPcm &operator=(const TestPcm &) = delete;

    /// Device string for snd_pcm_open() and `device` properties. Needs no quoting in a shell or in
    /// a gst-launch-1.0 line, unless the file name does.
    [[nodiscard]] const std::string &device() const { return device_; }
    [[nodiscard]] const std::string &directory() const { return directory_; }

    /// Sends one command line. Never blocks, even if no process has the PCM open.
    void send(std::string_view command);

    /// Makes later opens fail with the error called `name`, e.g. "EBUSY", until it is cleared. The
    /// command "unplug" sets ENODEV.
    void set_open_errno(std::string_view name);
    void clear_open_errno();

    /// Sets commands that later opens execute first; empty = none.
    void set_at_open(std::string_view commands);

    /// Sets the rate, channels or formats that later opens offer; 0 or empty = those of the device
    /// string.
    void set_rate(unsigned rate);
    void set_channels(unsigned channels);
    void set_format(std::string_view formats);

    /// Makes the signal advance in real time while the device is closed, instead of restarting with
    /// each open.
    void continue_content();

    /// Lets every later open for playback record what is played; see played_audio.h.
    void record_playback();

    /// Deletes the recording and the log. Must not be called while a process has the PCM open.
    void clear_recording();

    /// Makes later opens use a simulated clock, which starts at 1 s and only advances by advance().
    void simulate_clock();
    /// Advances the simulated clock and wakes up pollers of the PCM.
    void advance(std::chrono::nanoseconds duration);

    [[nodiscard]] std::string log() const;

    /// Returns the number of log lines that contain `text`.
    [[nodiscard]] size_t count_log(std::string_view text) const;

    /// Waits until `count` lines of the log contain `text`. Returns false after `timeout`.
    [[nodiscard]] bool wait_for_log(std::string_view text, std::chrono::milliseconds timeout,
                                    size_t count = 1) const;

private:
    void put(const char *name, std::string_view content) const;
    void remove(const char *name) const;

    std::string directory_;
    std::string device_;
    std::unique_ptr<DeviceTime> time_; // only with a simulated clock
    UniqueFd commands_; // kept open, or commands sent before the PCM is opened would be lost
};

} // namespace jkvm::testing
