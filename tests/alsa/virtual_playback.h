// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements the playback side of the test PCM: ring buffer, hardware pointer, recording, underruns
// and wake-ups.
#pragma once

#include "alsa/audio_loopback.h"
#include "alsa/playback_recorder.h"
#include "alsa/virtual_pcm.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace jkvm::testing {

/// Records the frames that its clock passes and, if there is one, plays them on a loopback.
class VirtualPlayback final : public VirtualPcm {
public:
    VirtualPlayback(ControlDirectory control, std::unique_ptr<AudioLoopback> loopback);
    ~VirtualPlayback() override;

private:
    void on_hw_params() override;
    void on_prepare(int64_t now) override;
    int on_start(int64_t now) override;
    void on_stop(int64_t now) override;
    void on_resume(int64_t now) override;
    void advance(int64_t now) override { play(now); }
    void on_clock_changed(std::string_view event) override { mark(event); }
    void apply_to_direction(const Command &command, int64_t now) override;
    void on_halted(std::string_view event) override;
    void sync(int64_t now) override;
    void update_visible(int64_t now) override;
    snd_pcm_sframes_t move_frames(const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                                  snd_pcm_uframes_t frames, int64_t now) override;
    [[nodiscard]] int64_t delay_frames() const override { return std::max<int64_t>(0, queued()); }
    void set_alarm(int64_t now) override { set_alarm(io_.appl_ptr, now); }
    [[nodiscard]] unsigned short stream_events() const override;

    void play(int64_t now);
    void record_until(uint64_t frame);
    void mark(std::string_view event);
    void set_alarm(uint64_t written, int64_t now);
    [[nodiscard]] bool is_playing() const;
    /// Returns the number of frames written and not yet played; negative after an underrun that
    /// does not stop the stream.
    [[nodiscard]] int64_t queued() const;
    [[nodiscard]] int64_t pointer_delay(uint64_t step) const;

    PlaybackRecorder recorder_;
    std::unique_ptr<AudioLoopback> loopback_;
    std::vector<int32_t> ring_; // interleaved samples, the device's memory
    bool halted_ = true;        // no frames are played
    uint64_t recorded_ = 0;     // frames since the last start
    uint64_t granularity_ = 1;
    int64_t jitter_ = 0; // ns
};

} // namespace jkvm::testing
