// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements the capture side of the test PCM: signal or loopback, overruns and wake-ups.
#pragma once

#include "alsa/audio_loopback.h"
#include "alsa/signal.h"
#include "alsa/virtual_pcm.h"

#include <memory>
#include <vector>

namespace jkvm::testing {

/// Captures the signal or, if there is one, the audio on a loopback.
class VirtualCapture final : public VirtualPcm {
public:
    VirtualCapture(ControlDirectory control, Signal signal,
                   std::unique_ptr<AudioLoopback> loopback);

private:
    void on_hw_params() override;
    void on_prepare(int64_t now) override;
    int on_start(int64_t now) override;
    void on_stop(int64_t) override {}
    void on_resume(int64_t) override {}
    void advance(int64_t now) override;
    void apply_to_direction(const Command &command, int64_t now) override;
    void sync(int64_t now) override;
    void update_visible(int64_t now) override;
    snd_pcm_sframes_t move_frames(const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                                  snd_pcm_uframes_t frames, int64_t now) override;
    [[nodiscard]] int64_t delay_frames() const override { return static_cast<int64_t>(unread()); }
    void set_alarm(int64_t now) override { set_alarm(io_.state, io_.appl_ptr, now); }
    [[nodiscard]] unsigned short stream_events() const override;

    void set_alarm(snd_pcm_state_t state, snd_pcm_uframes_t read, int64_t now);
    [[nodiscard]] uint64_t unread() const;
    [[nodiscard]] uint64_t wake_threshold() const;
    void store(uint64_t frame, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
               snd_pcm_uframes_t frames);
    /// Returns the number of frames from `frame` on that were read, at most `frames`.
    size_t read_source(uint64_t frame, size_t frames);

    Signal signal_;
    std::unique_ptr<AudioLoopback> loopback_;
    std::vector<int32_t> scratch_;
    uint64_t short_ = 0; // maximum number of unread frames visible; 0 = all
};

} // namespace jkvm::testing
