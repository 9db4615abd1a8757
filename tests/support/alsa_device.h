// SPDX-License-Identifier: LGPL-2.1-or-later
// A test PCM of its own for one test: its device string, its commands and its log.
#pragma once

#include "core/base/unique_fd.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace jkvm::testing {

/// A fresh control directory for the PCM "jkvmtest", removed at the end. alsa/commands.h lists the
/// commands and the events in the log. The process that opens device() needs the environment
/// `alsa_test_env` of tests/alsa/meson.build. Failures of the file system throw.
///
/// Commands wait in the FIFO until a PCM takes them, so they may be sent before it is opened
/// (except for xrun, suspend and gap, which need a running stream).
class TestPcm {
public:
    struct Options {
        std::string file = {};   ///< WAV to play; empty = tone
        double frequency = 997;  ///< of the tone, Hz
        unsigned rate = 0;       ///< the only one offered; 0 = all
        unsigned channels = 0;   ///< the only count offered; 0 = all
        std::string format = {}; ///< the only one offered, e.g. "S16_LE"; empty = all
    };

    TestPcm() : TestPcm(Options{}) {}
    explicit TestPcm(const Options &options);
    ~TestPcm();
    TestPcm(const TestPcm &) = delete;
    TestPcm &operator=(const TestPcm &) = delete;

    /// For snd_pcm_open() and every `device` property; has no characters a shell or a
    /// gst-launch-1.0 line would have to quote, unless the file's name has some.
    [[nodiscard]] const std::string &device() const { return device_; }
    [[nodiscard]] const std::string &directory() const { return directory_; }

    /// Sends one command line. Never blocks, also when nobody has the PCM open.
    void send(std::string_view command);

    /// Lets every later open fail with e.g. "EBUSY", until it is cleared. "unplug" sets ENODEV.
    void set_open_errno(std::string_view name);
    void clear_open_errno();

    /// Commands that every later open begins with; empty = none.
    void set_at_open(std::string_view commands);

    /// What later opens offer; 0 or empty = what the device string says.
    void set_rate(unsigned rate);
    void set_channels(unsigned channels);
    void set_format(std::string_view formats);

    /// Lets the content go on in real time across re-opens.
    void continue_content();

    [[nodiscard]] std::string log() const;

    /// How many lines of the log contain `text`.
    [[nodiscard]] size_t count_log(std::string_view text) const;

    /// Waits until `count` lines of the log contain `text`; false when that takes too long.
    [[nodiscard]] bool wait_for_log(std::string_view text, std::chrono::milliseconds timeout,
                                    size_t count = 1) const;

private:
    void put(const char *name, std::string_view content) const;
    void remove(const char *name) const;

    std::string directory_;
    std::string device_;
    UniqueFd commands_; // kept open, or what was sent to nobody would be lost
};

} // namespace jkvm::testing
