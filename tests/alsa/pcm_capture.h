// SPDX-License-Identifier: LGPL-2.1-or-later
// A plain libasound capture program, for testing the test PCM: opens, polls, reads.
#pragma once

#include <alsa/asoundlib.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace jkvm::testing {

struct CaptureSettings {
    bool mmap = false;
    unsigned rate = 48000;
    unsigned channels = 2;
    snd_pcm_format_t format = SND_PCM_FORMAT_S16_LE;
    unsigned period_us = 10'000;
    unsigned buffer_us = 500'000;
};

/// An open capture PCM in non-blocking mode. Functions return libasound's negative errno values.
class PcmCapture {
public:
    using Bytes = std::vector<unsigned char>;

    PcmCapture() = default;
    ~PcmCapture() { close(); }
    PcmCapture(const PcmCapture &) = delete;
    PcmCapture &operator=(const PcmCapture &) = delete;

    /// Opens and, when `settings` fit, prepares.
    int open(const std::string &device, const CaptureSettings &settings = {});
    void close();
    int start() { return snd_pcm_start(pcm_); }

    /// Prepares and starts again, as after an xrun.
    int restart();

    /// Waits for an event; the events of poll(), or 0 at the timeout. Wake-ups for nothing are
    /// waited through.
    int wait(std::chrono::milliseconds timeout);

    /// Whether the descriptor becomes readable, which must not be all the time.
    [[nodiscard]] bool wakes_up(std::chrono::milliseconds timeout);

    /// Waits for an error event without reading; the state then.
    snd_pcm_state_t wait_for_error(std::chrono::milliseconds timeout);

    /// Reads up to `most` available frames and appends them to `to`. Returns the number of frames.
    snd_pcm_sframes_t read(snd_pcm_uframes_t most, Bytes &to);

    /// Reads `frames` frames, waiting for them; 0, or the first error.
    int read_all(snd_pcm_uframes_t frames, Bytes &to);

    /// Reads until a read fails; the error, or 0 when none comes within five seconds.
    int read_until_error();

    [[nodiscard]] snd_pcm_t *pcm() { return pcm_; }
    [[nodiscard]] snd_pcm_uframes_t buffer_size() const { return buffer_size_; }
    [[nodiscard]] size_t frame_bytes() const { return frame_bytes_; }

private:
    int configure();

    snd_pcm_t *pcm_ = nullptr;
    CaptureSettings settings_;
    snd_pcm_uframes_t buffer_size_ = 0;
    size_t frame_bytes_ = 0;
};

/// One channel of interleaved S16_LE frames.
[[nodiscard]] std::vector<double> channel_of(const PcmCapture::Bytes &bytes, unsigned channels,
                                             unsigned channel = 0);

} // namespace jkvm::testing
