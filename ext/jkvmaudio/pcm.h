// SPDX-License-Identifier: LGPL-2.1-or-later
// An ALSA capture device, read in place, one Opus frame at a time.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/ipc/wait_control.h"

#include <alsa/asoundlib.h>

#include <poll.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace jkvm {

/// S16, interleaved, memory-mapped. Thread-bound.
///
///     pcm.start();
///     while (pcm.wait(control) == Pcm::Outcome::ready) { encode(pcm.frame()); pcm.release(); }
class Pcm {
public:
    struct Config {
        std::string device;    ///< ALSA's name of it: "hw:0,0"
        unsigned rate = 48000; ///< Hz
        unsigned channels = 2;
        std::size_t frame = 960; ///< samples per channel that are read together
        nanoseconds buffer_time =
            std::chrono::milliseconds(80); ///< of the ring, at least two frames
    };

    enum class Outcome {
        ready,       ///< frame() has one
        interrupted, ///< something is wanted of this thread
        overrun,     ///< samples are lost; the device runs again from now
        failed,      ///< error() says why
    };

    /// Opens and configures, does not start. Errors: device_missing, _busy, _forbidden,
    /// _unsupported, each with what ALSA said.
    static Result<Pcm> open(const Config &config);

    /// Errors: device_lost.
    Status start();
    /// What was captured and not read is forgotten; start() begins anew.
    void stop();

    /// Blocks until one frame can be read, or something is wanted of this thread.
    Outcome wait(const WaitControl &control);
    /// After Outcome::failed.
    [[nodiscard]] const Error &error() const { return error_; }

    /// After Outcome::ready: how long ago the first sample of frame() was captured, when wait()
    /// returned.
    [[nodiscard]] nanoseconds age() const { return age_; }
    /// After Outcome::ready, until release(): the frame, in the device's own memory where it lies
    /// there in one piece.
    [[nodiscard]] std::span<const std::int16_t> frame() const { return frame_; }
    /// Gives the frame's memory back to the device.
    void release();

    [[nodiscard]] nanoseconds buffer_time() const { return to_time(buffer_size_); } ///< as granted
    [[nodiscard]] std::size_t period_samples() const { return period_size_; }       ///< as granted
    [[nodiscard]] nanoseconds period_time() const { return to_time(period_size_); } ///< as granted

private:
    struct Close {
        void operator()(snd_pcm_t *pcm) const { snd_pcm_close(pcm); }
    };

    Pcm(Config config, snd_pcm_t *handle) : config_(std::move(config)), handle_(handle) {}

    Status configure();
    /// Points frame_ to the oldest samples. 0, or ALSA's error.
    int take_frame();
    Outcome recover(int code);
    [[nodiscard]] nanoseconds to_time(snd_pcm_uframes_t samples) const;
    [[nodiscard]] Error make_error(ErrorKind kind, const char *call, int code) const;

    Config config_;
    std::unique_ptr<snd_pcm_t, Close> handle_;
    std::vector<pollfd> poll_fds_;      // the last one is the control's
    std::vector<std::int16_t> staging_; // for a frame that wraps around the ring
    snd_pcm_uframes_t buffer_size_ = 0;
    snd_pcm_uframes_t period_size_ = 0;
    std::span<const std::int16_t> frame_;
    snd_pcm_uframes_t frame_offset_ = 0; // in the ring, when frame_ lies there
    bool is_in_place_ = false;
    nanoseconds age_{0};
    int recoveries_ = 0; // since the last frame
    Error error_{ErrorKind::device_lost, {}, {}};
};

} // namespace jkvm
