// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements the capture side of the test PCM: signal, clock, faults and wake-ups.
#pragma once

#include "alsa/commands.h"
#include "alsa/device_clock.h"
#include "alsa/poll_alarm.h"
#include "alsa/sample_format.h"
#include "alsa/signal.h"

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>

#include <mutex>
#include <vector>

namespace jkvm::testing {

/// The state of one open PCM, which owns it: alsa-lib's close callback deletes it.
///
/// Its public functions are alsa-lib's callbacks. They are called from any thread of the program,
/// some with the PCM locked and some without. mutex_ is the only lock acquired here, always last.
class VirtualDevice {
public:
    VirtualDevice(ControlDirectory control, Signal signal);

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
    void disconnect();
    void sync(int64_t now);
    void set_alarm(snd_pcm_state_t state, snd_pcm_uframes_t read, int64_t now);
    [[nodiscard]] bool is_mmap() const { return io_.access == SND_PCM_ACCESS_MMAP_INTERLEAVED; }
    [[nodiscard]] uint64_t unread() const;
    [[nodiscard]] uint64_t wake_threshold() const;
    void update_visible();
    void store(uint64_t frame, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
               snd_pcm_uframes_t frames);

    std::mutex mutex_;
    snd_pcm_ioplug_t io_ = {}; // io_.state and io_.appl_ptr belong to alsa-lib
    ControlDirectory control_;
    Signal signal_;
    DeviceClock clock_;
    PollAlarm alarm_;
    std::vector<int32_t> scratch_;

    snd_pcm_uframes_t avail_min_ = 1;
    snd_pcm_uframes_t stop_threshold_ = 0;
    snd_pcm_uframes_t boundary_ = 0;
    SampleFormat format_ = SampleFormat::s16_le;

    uint64_t visible_ = 0; // frames reported to alsa-lib; never decreases until prepared
    uint64_t short_ = 0;   // maximum number of unread frames visible; 0 = all
    int read_error_ = 0;
    bool read_error_stays_ = false;
    bool frozen_ = false;
};

} // namespace jkvm::testing
