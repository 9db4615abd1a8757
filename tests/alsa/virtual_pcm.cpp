// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/virtual_pcm.h"

#include "alsa/pcm_state.h"

#include <poll.h>

#include <cerrno>

namespace jkvm::testing {
namespace {

constexpr int64_t ns_per_ms = 1'000'000;

} // namespace

VirtualPcm::VirtualPcm(ControlDirectory control, const char *name)
    : control_{std::move(control)}, time_{control_.path()}
{
    control_.open_commands();
    alarm_.watch(control_.command_fd());

    io_.version = SND_PCM_IOPLUG_VERSION;
    io_.name = name;
    // Without BOUNDARY_WA, a pointer that advanced by a whole buffer would look unchanged.
    io_.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
    io_.poll_fd = alarm_.fd();
    io_.poll_events = POLLIN;
    io_.private_data = this;
}

void VirtualPcm::execute_initial_commands()
{
    const std::lock_guard lock{mutex_};
    LineSplitter lines;
    lines.feed(control_.read("at_open").value_or("") + "\n",
               [this](std::string_view line) { execute(parse_command(line), time_.now()); });
}

int VirtualPcm::set_hw_params()
{
    const std::lock_guard lock{mutex_};
    clock_.set_rate(io_.rate, time_.now());
    format_ = sample_format(io_.format);
    on_hw_params();
    control_.log("hw_params rate=" + std::to_string(io_.rate) + " channels=" +
                 std::to_string(io_.channels) + " format=" + snd_pcm_format_name(io_.format) +
                 " period=" + std::to_string(io_.period_size) + " buffer=" +
                 std::to_string(io_.buffer_size) + " access=" + snd_pcm_access_name(io_.access));
    return 0;
}

int VirtualPcm::set_sw_params(const snd_pcm_sw_params_t *params)
{
    const std::lock_guard lock{mutex_};
    snd_pcm_sw_params_get_avail_min(params, &avail_min_);
    snd_pcm_sw_params_get_stop_threshold(params, &stop_threshold_);
    snd_pcm_sw_params_get_boundary(params, &boundary_);
    return 0;
}

int VirtualPcm::prepare()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = time_.now();
    read_commands(now);
    visible_ = 0;
    on_prepare(now);
    control_.log("prepare");
    return 0;
}

int VirtualPcm::start()
{
    const std::lock_guard lock{mutex_};
    return on_start(time_.now());
}

int VirtualPcm::stop()
{
    const std::lock_guard lock{mutex_};
    on_stop(time_.now());
    alarm_.set(PollAlarm::at_once);
    control_.log("stop");
    return 0;
}

int VirtualPcm::resume()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = time_.now();
    read_commands(now);
    if (io_.state != SND_PCM_STATE_SUSPENDED)
        return state_error(io_.state);
    if (refused_resumes_ > 0) {
        refused_resumes_--;
        control_.log("resume refused");
        return -EAGAIN;
    }
    clock_.resume(now);
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_RUNNING);
    on_resume(now);
    control_.log("resume");
    set_alarm(now);
    return 0;
}

void VirtualPcm::read_commands(int64_t now)
{
    control_.read_commands([this, now](std::string_view line) {
        control_.log("cmd " + std::string(line));
        execute(parse_command(line), now);
    });
    if (frozen_ && !clock_.is_frozen(now)) {
        frozen_ = false;
        control_.log("thaw");
    }
}

void VirtualPcm::execute(const Command &command, int64_t now)
{
    using Kind = Command::Kind;
    switch (command.kind) {
    case Kind::xrun:
    case Kind::suspend:
        return stop_stream(command, now);
    case Kind::unplug:
        return disconnect(now);
    case Kind::freeze:
        advance(now);
        frozen_ = command.value > 0;
        clock_.freeze(static_cast<int64_t>(command.value * ns_per_ms), now);
        return on_clock_changed(frozen_ ? "freeze" : "thaw");
    case Kind::fail_once:
    case Kind::fail_always:
        error_ = static_cast<int>(command.value);
        is_error_permanent_ = command.kind == Kind::fail_always;
        return;
    case Kind::source_rate:
        advance(now);
        clock_.set_source_rate(command.value, now);
        return on_clock_changed("rate");
    case Kind::drift:
        advance(now);
        clock_.set_drift(command.value, now);
        return on_clock_changed("rate");
    case Kind::refuse_resume:
        refused_resumes_ = static_cast<int>(command.value);
        return;
    case Kind::unknown:
        return control_.log("unknown command");
    default:
        return apply_to_direction(command, now);
    }
}

void VirtualPcm::stop_stream(const Command &command, int64_t now)
{
    if (io_.state != SND_PCM_STATE_RUNNING)
        return control_.log(std::string("ignored: the stream is ") + snd_pcm_state_name(io_.state));
    const bool suspends = command.kind == Command::Kind::suspend;
    advance(now);
    on_halted(suspends ? "suspend" : "xrun");
    if (suspends)
        clock_.suspend(now);
    snd_pcm_ioplug_set_state(&io_, suspends ? SND_PCM_STATE_SUSPENDED : SND_PCM_STATE_XRUN);
}

// In this state alsa-lib allows only closing the PCM.
void VirtualPcm::disconnect(int64_t now)
{
    advance(now);
    on_halted("unplug");
    control_.write("open_errno", "ENODEV\n");
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_DISCONNECTED);
}

snd_pcm_sframes_t VirtualPcm::pointer()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = time_.now();
    sync(now);
    update_visible(now);
    return static_cast<snd_pcm_sframes_t>(boundary_ > 0 ? visible_ % boundary_ : 0);
}

/// Returns the error that this transfer fails with, or 0.
int VirtualPcm::take_error(snd_pcm_uframes_t offset)
{
    const int error = error_;
    // After the first frames of a read or write, alsa-lib does not report the error, so it stays
    // pending for the next one.
    if (error != 0 && (is_mmap() || offset == 0)) {
        control_.log((io_.stream == SND_PCM_STREAM_PLAYBACK ? "write fails " : "read fails ") +
                     errno_name(error));
        if (!is_error_permanent_)
            error_ = 0;
    }
    return error;
}

snd_pcm_sframes_t VirtualPcm::transfer(const snd_pcm_channel_area_t *areas,
                                       snd_pcm_uframes_t offset, snd_pcm_uframes_t frames)
{
    const std::lock_guard lock{mutex_};
    const int64_t now = time_.now();
    if (io_.stream == SND_PCM_STREAM_PLAYBACK)
        advance(now);
    if (const int error = state_error(io_.state))
        return error;
    if (const int error = take_error(offset))
        return -error;
    return move_frames(areas, offset, frames, now);
}

int VirtualPcm::delay(snd_pcm_sframes_t &frames)
{
    const std::lock_guard lock{mutex_};
    sync(time_.now());
    frames = static_cast<snd_pcm_sframes_t>(delay_frames());
    return state_error(io_.state);
}

/// Returns the events that a kernel device reports in the same state.
unsigned short VirtualPcm::poll_events()
{
    const std::lock_guard lock{mutex_};
    sync(time_.now());
    const bool plays = io_.stream == SND_PCM_STREAM_PLAYBACK;
    switch (io_.state) {
    case SND_PCM_STATE_RUNNING:
    case SND_PCM_STATE_PREPARED:
    case SND_PCM_STATE_DRAINING:
        return stream_events();
    case SND_PCM_STATE_PAUSED:
        return 0;
    case SND_PCM_STATE_DISCONNECTED:
        return POLLERR | POLLNVAL;
    default:
        return (plays ? POLLOUT : POLLIN) | POLLERR;
    }
}

void VirtualPcm::wake_at(int64_t time, int64_t now)
{
    if (time <= now)
        return alarm_.set(PollAlarm::at_once);
    // A simulated clock wakes up pollers itself, with each of its steps.
    alarm_.set(time_.is_simulated() ? PollAlarm::never : time);
}

} // namespace jkvm::testing
