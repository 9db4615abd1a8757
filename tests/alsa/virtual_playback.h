// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements the playback side of the test PCM: ring buffer, clock, faults, recording and wake-ups.
#pragma once

#include "alsa/commands.h"
#include "alsa/device_clock.h"
#include "alsa/playback_recorder.h"
#include "alsa/poll_alarm.h"
#include "alsa/sample_format.h"

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>

#include <mutex>
#include <vector>

namespace jkvm::testing {

/// The state of one PCM opened for playback, which owns it: alsa-lib's close callback deletes it.
///
/// Its public functions are alsa-lib's callbacks. They are called from any thread of the program,
/// some with the PCM locked and some without. mutex_ is the only lock acquired here, always last.
class VirtualPlayback {
public:
    explicit VirtualPlayback(ControlDirectory control);
    ~VirtualPlayback();
    VirtualPlayback(const VirtualPlayback &) = delete;
    VirtualPlayback &operator=(const VirtualPlayback &) = delete;

    /// Returns the argument for snd_pcm_ioplug_create(), which points to this object.
    [[nodiscard]] snd_pcm_ioplug_t *io() { return &io_; }

    int set_hw_params();
    int set_sw_params(const snd_pcm_sw_params_t *params);
    int prepare();
    int start();
    int stop();
    int resume();
    snd_pcm_sframes_t pointer();
    snd_pcm_sframes_t transfer(const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                               snd_pcm_uframes_t frames);
    int delay(snd_pcm_sframes_t &frames);
    unsigned short poll_events();
    void log(std::string_view event) { control_.log(event); }

private:
    void read_commands(int64_t now);
    void apply(const Command &command, int64_t now);
    void apply_to_stream(const Command &command, int64_t now);
    void disconnect(int64_t now);
    void sync(int64_t now);
    void play(int64_t now);
    void record_until(uint64_t frame);
    void mark(std::string_view event);
    void halt(std::string_view event, int64_t now);
    void update_visible(int64_t now);
    void set_alarm(uint64_t written, int64_t now);
    [[nodiscard]] bool is_playing() const;
    [[nodiscard]] bool is_mmap() const { return io_.access == SND_PCM_ACCESS_MMAP_INTERLEAVED; }
    /// Returns the number of frames written and not yet played; negative after an underrun that
    /// does not stop the stream.
    [[nodiscard]] int64_t queued() const;
    [[nodiscard]] int64_t pointer_delay(uint64_t step) const;

    std::mutex mutex_;
    snd_pcm_ioplug_t io_ = {}; // io_.state and io_.appl_ptr belong to alsa-lib
    ControlDirectory control_;
    PlaybackRecorder recorder_;
    DeviceClock clock_;
    PollAlarm alarm_;
    std::vector<int32_t> ring_; // interleaved samples, the device's memory
    bool halted_ = true;        // no frames are played

    snd_pcm_uframes_t avail_min_ = 1;
    snd_pcm_uframes_t stop_threshold_ = 0;
    snd_pcm_uframes_t boundary_ = 0;
    SampleFormat format_ = SampleFormat::s16_le;

    uint64_t recorded_ = 0; // frames since the last start
    uint64_t visible_ = 0;  // pointer reported to alsa-lib
    uint64_t granularity_ = 1;
    int64_t jitter_ = 0; // ns
    int refused_resumes_ = 0;
    int write_error_ = 0;
    bool write_error_stays_ = false;
    bool frozen_ = false;
};

} // namespace jkvm::testing
