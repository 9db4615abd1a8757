// SPDX-License-Identifier: LGPL-2.1-or-later
// A plain libasound playback program, for testing the test PCM: opens, writes, polls.
#pragma once

#include <alsa/asoundlib.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace jkvm::testing {

struct PlaybackSettings {
    bool mmap = false;
    unsigned rate = 48000;
    unsigned channels = 1;
    snd_pcm_format_t format = SND_PCM_FORMAT_S16_LE;
    snd_pcm_uframes_t period = 480;
    snd_pcm_uframes_t buffer = 9600;
};

/// An open playback PCM in non-blocking mode. Functions return libasound's negative errno values.
class PcmPlayback {
public:
    PcmPlayback() = default;
    ~PcmPlayback() { close(); }
    PcmPlayback(const PcmPlayback &) = delete;
    PcmPlayback &operator=(const PcmPlayback &) = delete;

    /// Opens, configures and prepares.
    int open(const std::string &device, const PlaybackSettings &settings);
    void close();
    /// Writes these frames (all channels the same) as S16 without waiting; the frames written.
    snd_pcm_sframes_t write(const std::vector<int16_t> &frames);
    /// The hardware pointer: frames that were written less those that are queued.
    uint64_t pointer();
    /// Waits until the descriptor reports an event; 0 at the timeout.
    int wait(std::chrono::milliseconds timeout);
    /// Writes `frames` whenever there is room until `count` of them are played.
    int play(const std::vector<int16_t> &frames, uint64_t count);

    [[nodiscard]] snd_pcm_t *pcm() { return pcm_; }

private:
    int configure();

    snd_pcm_t *pcm_ = nullptr;
    PlaybackSettings settings_;
    uint64_t written_ = 0;
};

} // namespace jkvm::testing
