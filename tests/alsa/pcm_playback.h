// SPDX-License-Identifier: LGPL-2.1-or-later
// Plays on the test PCM as a plain libasound program does: opens, writes, polls.
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

    /// Opens, configures and prepares the PCM.
    int open(const std::string &device, const PlaybackSettings &settings);
    void close();
    /// Writes the frames to all channels as S16 without blocking. Returns the number written.
    snd_pcm_sframes_t write(const std::vector<int16_t> &frames);
    /// Returns the hardware pointer: written frames minus queued frames.
    uint64_t pointer();
    /// Waits until the descriptor reports an event. Returns the events, or 0 on a time-out.
    int wait(std::chrono::milliseconds timeout);
    /// Writes `frames` whenever there is room, until `count` of them are played.
    int play(const std::vector<int16_t> &frames, uint64_t count);

    [[nodiscard]] snd_pcm_t *pcm() { return pcm_; }

private:
    int configure();

    snd_pcm_t *pcm_ = nullptr;
    PlaybackSettings settings_;
    uint64_t written_ = 0;
};

} // namespace jkvm::testing
