// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements the part of the test PCM that both directions share: parameters, clock, commands,
// errors and wake-ups.
#pragma once

#include "alsa/commands.h"
#include "alsa/device_clock.h"
#include "alsa/device_time.h"
#include "alsa/poll_alarm.h"
#include "alsa/sample_format.h"

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>

#include <mutex>
#include <optional>
#include <string_view>

namespace jkvm::testing {

/// The state of one open PCM, which owns it: alsa-lib's close callback deletes it.
///
/// Its public functions are alsa-lib's callbacks. They are called from any thread of the program,
/// some with the PCM locked and some without. mutex_ is the only lock acquired here, always last;
/// the protected functions require it.
class VirtualPcm {
public:
    VirtualPcm(ControlDirectory control, const char *name);
    virtual ~VirtualPcm() = default;
    VirtualPcm(const VirtualPcm &) = delete;
    VirtualPcm &operator=(const VirtualPcm &) = delete;

    /// Executes the commands in the file "at_open". Called once, before alsa-lib gets the PCM.
    void execute_initial_commands();
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

protected:
    virtual void on_hw_params() = 0;
    virtual void on_prepare(int64_t now) = 0;
    virtual int on_start(int64_t now) = 0;
    virtual void on_stop(int64_t now) = 0;
    virtual void on_resume(int64_t now) = 0;
    /// Advances the stream to `now` before the state or the clock changes.
    virtual void advance(int64_t now) = 0;
    /// Called after advance() when the clock has changed its speed, or has stopped or continued.
    virtual void on_clock_changed(std::string_view) {}
    /// Executes a command that applies to this direction only.
    virtual void apply_to_direction(const Command &command, int64_t now) = 0;
    /// Called before the state changes; the stream stops until it is started or resumed.
    virtual void on_halted(std::string_view) {}
    /// Advances the stream and detects an overrun or underrun.
    virtual void sync(int64_t now) = 0;
    /// Updates the frames that the program sees.
    virtual void update_visible(int64_t now) = 0;
    virtual snd_pcm_sframes_t move_frames(const snd_pcm_channel_area_t *areas,
                                          snd_pcm_uframes_t offset, snd_pcm_uframes_t frames,
                                          int64_t now) = 0;
    [[nodiscard]] virtual int64_t delay_frames() const = 0;
    /// Sets the next wake-up for the current state.
    virtual void set_alarm(int64_t now) = 0;
    [[nodiscard]] virtual unsigned short stream_events() const = 0;

    void read_commands(int64_t now);
    /// Wakes up pollers at `time`; at once if it has passed.
    void wake_at(int64_t time, int64_t now);
    [[nodiscard]] bool is_mmap() const { return io_.access == SND_PCM_ACCESS_MMAP_INTERLEAVED; }
    [[nodiscard]] bool has_pending_error() const { return error_ != 0; }

    snd_pcm_ioplug_t io_ = {}; // io_.state and io_.appl_ptr belong to alsa-lib
    ControlDirectory control_;
    DeviceTime time_;
    DeviceClock clock_;
    PollAlarm alarm_;
    snd_pcm_uframes_t avail_min_ = 1;
    snd_pcm_uframes_t stop_threshold_ = 0;
    SampleFormat format_ = SampleFormat::s16_le;
    uint64_t visible_ = 0; // hardware pointer reported to alsa-lib; never decreases until prepared

private:
    void execute(const Command &command, int64_t now);
    void stop_stream(const Command &command, int64_t now);
    void disconnect(int64_t now);
    int take_error(snd_pcm_uframes_t offset);

    std::mutex mutex_;
    snd_pcm_uframes_t boundary_ = 0;
    int refused_resumes_ = 0;
    int error_ = 0; // of the next transfer
    bool is_error_permanent_ = false;
    bool frozen_ = false;
};

} // namespace jkvm::testing
