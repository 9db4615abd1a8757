// SPDX-License-Identifier: LGPL-2.1-or-later
// Captures from the test PCM as a plain libasound program does: opens, polls, reads.
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

    /// Opens the PCM, and prepares it if it supports `settings`.
    int open(const std::string &device, const CaptureSettings &settings = {});
    void close();
    int start() { return snd_pcm_start(pcm_); }

    /// Prepares and restarts the PCM, as after an xrun.
    int restart();

    /// Waits for an event. Returns the events of poll(), or 0 on a time-out. Spurious wake-ups are
    /// skipped.
    int wait(std::chrono::milliseconds timeout);

    /// Returns whether the descriptor becomes readable; used to detect busy polling.
    [[nodiscard]] bool wakes_up(std::chrono::milliseconds timeout);

    /// Waits for an error event without reading. Returns the state after it.
    snd_pcm_state_t wait_for_error(std::chrono::milliseconds timeout);

    /// Reads up to `max_frames` available frames and appends them to `to`. Returns the number of
    /// frames.
    snd_pcm_sframes_t read(snd_pcm_uframes_t max_frames, Bytes &to);

    /// Blocks until `frames` frames are read. Returns 0 or the first error.
    int read_all(snd_pcm_uframes_t frames, Bytes &to);

    /// Reads until a read fails. Returns the error, or 0 if none occurs within five seconds.
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

/// Returns the samples of one channel of interleaved S16_LE frames.
[[nodiscard]] std::vector<double> channel_of(const PcmCapture::Bytes &bytes, unsigned channels,
                                             unsigned channel = 0);

} // namespace jkvm::testing
