// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/virtual_playback.h"

#include "alsa/pcm_state.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace jkvm::testing {
namespace {

constexpr int64_t ns_per_ms = 1'000'000;
constexpr int64_t ns_per_us = 1'000;

} // namespace

VirtualPlayback::VirtualPlayback(ControlDirectory control)
    : control_{std::move(control)}, recorder_{control_}
{
    control_.open_commands();
    alarm_.watch(control_.command_fd());
    LineSplitter faults;
    faults.feed(control_.read("at_open").value_or("") + "\n", [this](std::string_view line) {
        apply(parse_command(line), read_monotonic_clock());
    });

    io_.version = SND_PCM_IOPLUG_VERSION;
    io_.name = "jkvm test playback";
    // Without BOUNDARY_WA, a pointer that advanced by a whole buffer would look unchanged.
    io_.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
    io_.poll_fd = alarm_.fd();
    io_.poll_events = POLLIN;
    io_.private_data = this;
}

VirtualPlayback::~VirtualPlayback()
{
    halt("close", read_monotonic_clock());
}

int VirtualPlayback::set_hw_params()
{
    const std::lock_guard lock{mutex_};
    clock_.set_rate(io_.rate, read_monotonic_clock());
    format_ = sample_format(io_.format);
    ring_.assign(io_.buffer_size * io_.channels, 0);
    recorder_.set_channels(io_.channels);
    control_.log("hw_params rate=" + std::to_string(io_.rate) + " channels=" +
                 std::to_string(io_.channels) + " format=" + snd_pcm_format_name(io_.format) +
                 " period=" + std::to_string(io_.period_size) + " buffer=" +
                 std::to_string(io_.buffer_size) + " access=" + snd_pcm_access_name(io_.access));
    return 0;
}

int VirtualPlayback::set_sw_params(const snd_pcm_sw_params_t *params)
{
    const std::lock_guard lock{mutex_};
    snd_pcm_sw_params_get_avail_min(params, &avail_min_);
    snd_pcm_sw_params_get_stop_threshold(params, &stop_threshold_);
    snd_pcm_sw_params_get_boundary(params, &boundary_);
    return 0;
}

int VirtualPlayback::prepare()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = read_monotonic_clock();
    read_commands(now);
    halt("prepare", now);
    visible_ = 0;
    alarm_.set(PollAlarm::at_once);
    control_.log("prepare");
    return 0;
}

int VirtualPlayback::start()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = read_monotonic_clock();
    if (io_.appl_ptr == 0 && stop_threshold_ <= io_.buffer_size)
        return -EPIPE;
    clock_.start(now);
    recorded_ = 0;
    halted_ = false;
    mark("start");
    control_.log("start");
    set_alarm(io_.appl_ptr, now);
    return 0;
}

int VirtualPlayback::stop()
{
    const std::lock_guard lock{mutex_};
    halt("stop", read_monotonic_clock());
    alarm_.set(PollAlarm::at_once);
    control_.log("stop");
    return 0;
}

int VirtualPlayback::resume()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = read_monotonic_clock();
    read_commands(now);
    if (io_.state != SND_PCM_STATE_SUSPENDED)
        return state_error(io_.state);
    if (refused_resumes_ > 0) {
        refused_resumes_--;
        control_.log("resume refused");
        return -EAGAIN;
    }
    clock_.resume(now);
    halted_ = false;
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_RUNNING);
    mark("resume");
    control_.log("resume");
    set_alarm(io_.appl_ptr, now);
    return 0;
}

void VirtualPlayback::read_commands(int64_t now)
{
    control_.read_commands([this, now](std::string_view line) {
        control_.log("cmd " + std::string(line));
        apply(parse_command(line), now);
    });
}

void VirtualPlayback::apply(const Command &command, int64_t now)
{
    using Kind = Command::Kind;
    switch (command.kind) {
    case Kind::xrun:
    case Kind::suspend:
        return apply_to_stream(command, now);
    case Kind::unplug:
        return disconnect(now);
    case Kind::freeze:
        play(now);
        frozen_ = command.value > 0;
        clock_.freeze(static_cast<int64_t>(command.value * ns_per_ms), now);
        return mark(frozen_ ? "freeze" : "thaw");
    case Kind::fail_once:
    case Kind::fail_always:
        write_error_ = static_cast<int>(command.value);
        write_error_stays_ = command.kind == Kind::fail_always;
        return;
    case Kind::source_rate:
        play(now);
        clock_.set_source_rate(command.value, now);
        return mark("rate");
    case Kind::drift:
        play(now);
        clock_.set_drift(command.value, now);
        return mark("rate");
    case Kind::granularity:
        granularity_ = std::max<uint64_t>(1, static_cast<uint64_t>(command.value));
        return;
    case Kind::pointer_jitter:
        jitter_ = static_cast<int64_t>(command.value * ns_per_us);
        return;
    case Kind::refuse_resume:
        refused_resumes_ = static_cast<int>(command.value);
        return;
    case Kind::short_reads:
    case Kind::frequency:
    case Kind::amplitude:
    case Kind::constant:
    case Kind::gap:
        return control_.log("ignored: this is a playback device");
    case Kind::unknown:
        return control_.log("unknown command");
    }
}

void VirtualPlayback::apply_to_stream(const Command &command, int64_t now)
{
    if (io_.state != SND_PCM_STATE_RUNNING)
        return control_.log(std::string("ignored: the stream is ") + snd_pcm_state_name(io_.state));
    const bool suspends = command.kind == Command::Kind::suspend;
    halt(suspends ? "suspend" : "xrun", now);
    if (suspends)
        clock_.suspend(now);
    snd_pcm_ioplug_set_state(&io_, suspends ? SND_PCM_STATE_SUSPENDED : SND_PCM_STATE_XRUN);
}

// In this state alsa-lib allows only closing the PCM.
void VirtualPlayback::disconnect(int64_t now)
{
    halt("unplug", now);
    control_.write("open_errno", "ENODEV\n");
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_DISCONNECTED);
}

bool VirtualPlayback::is_playing() const
{
    return !halted_ && (io_.state == SND_PCM_STATE_RUNNING || io_.state == SND_PCM_STATE_DRAINING);
}

int64_t VirtualPlayback::queued() const
{
    return static_cast<int64_t>(io_.appl_ptr) - static_cast<int64_t>(clock_.frames());
}

/// Advances the clock to `now`, records the frames that it passes and detects an underrun.
void VirtualPlayback::play(int64_t now)
{
    // Rewound frames that were not rewritten are not played: the ring buffer ends before them.
    const uint64_t written = io_.appl_ptr;
    if (!is_playing())
        return;
    // A free-running clock stops at the end of the ring buffer.
    const uint64_t frames = clock_.advance(now, written > 0 ? written - 1 : 0);
    // The frame at which the fill level reaches the stop threshold; draining plays all frames.
    const bool drains = io_.state == SND_PCM_STATE_DRAINING;
    const auto buffer = io_.buffer_size;
    const bool stops = drains || stop_threshold_ <= buffer;
    const uint64_t reserve = drains ? 0 : buffer - std::min(stop_threshold_, buffer);
    const uint64_t end = written - std::min<uint64_t>(written, reserve);
    if (!stops || frames < end)
        return record_until(frames);
    record_until(end);
    if (drains)
        return;
    control_.log("underrun played=" + std::to_string(end) + " written=" + std::to_string(written));
    mark("xrun");
    halted_ = true;
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_XRUN);
}

void VirtualPlayback::record_until(uint64_t frame)
{
    while (recorded_ < frame) {
        const uint64_t at = recorded_ % io_.buffer_size;
        const uint64_t run = std::min<uint64_t>(frame - recorded_, io_.buffer_size - at);
        recorder_.append(std::span(ring_).subspan(at * io_.channels, run * io_.channels));
        recorded_ += run;
    }
}

/// Logs the next frame to be played. A frozen clock has a known time at which it continues.
void VirtualPlayback::mark(std::string_view event)
{
    if (!halted_)
        recorder_.mark(control_, event, clock_.time_of(recorded_), clock_.speed());
}

/// Plays the frames up to `now` and stops.
void VirtualPlayback::halt(std::string_view event, int64_t now)
{
    play(now);
    mark(event);
    halted_ = true;
}

/// Executes pending commands, advances the clock and sets the next alarm.
void VirtualPlayback::sync(int64_t now)
{
    read_commands(now);
    play(now);
    if (frozen_ && !clock_.is_frozen(now)) {
        frozen_ = false;
        control_.log("thaw");
    }
    update_visible(now);
    set_alarm(io_.appl_ptr, now);
}

/// Returns the delay (ns) of the pointer's step to a multiple of the granularity.
int64_t VirtualPlayback::pointer_delay(uint64_t step) const
{
    // Knuth's multiplicative hash, so that a step has the same delay at every call.
    const uint64_t random = (step * 2654435761U >> 8) & 0xFFFF;
    return static_cast<int64_t>(random) * jitter_ / 0x10000;
}

void VirtualPlayback::update_visible(int64_t now)
{
    if (!is_playing())
        return;
    const uint64_t written = io_.appl_ptr;
    const uint64_t played = clock_.frames();
    if (io_.state == SND_PCM_STATE_DRAINING && played >= written) {
        // The pointer reaches the end of a drained ring buffer regardless of the granularity.
        visible_ = written;
        return;
    }
    uint64_t step = played / granularity_;
    if (step > 0 && jitter_ > 0 && now < clock_.time_of(step * granularity_) + pointer_delay(step))
        step--;
    visible_ = std::max(visible_, step * granularity_);
}

snd_pcm_sframes_t VirtualPlayback::pointer()
{
    const std::lock_guard lock{mutex_};
    sync(read_monotonic_clock());
    return static_cast<snd_pcm_sframes_t>(boundary_ > 0 ? visible_ % boundary_ : 0);
}

snd_pcm_sframes_t VirtualPlayback::transfer(const snd_pcm_channel_area_t *areas,
                                            snd_pcm_uframes_t offset, snd_pcm_uframes_t frames)
{
    const std::lock_guard lock{mutex_};
    const int64_t now = read_monotonic_clock();
    play(now);
    if (const int error = state_error(io_.state))
        return error;
    if (write_error_ != 0) {
        const int error = write_error_;
        // After the first frames of a write, alsa-lib does not report the error; the next write
        // fails.
        if (is_mmap() || offset == 0) {
            control_.log("write fails " + errno_name(error));
            if (!write_error_stays_)
                write_error_ = 0;
        }
        return -error;
    }
    const uint64_t first = io_.appl_ptr;
    const unsigned channels = io_.channels;
    for (unsigned c = 0; c < channels; c++) {
        const auto *from = static_cast<const unsigned char *>(areas[c].addr) +
                           (areas[c].first + offset * areas[c].step) / 8;
        for (size_t i = 0; i < frames; i++, from += areas[c].step / 8)
            ring_[(first + i) % io_.buffer_size * channels + c] = load_sample(format_, from);
    }
    set_alarm(first + frames, now);
    return static_cast<snd_pcm_sframes_t>(frames);
}

int VirtualPlayback::delay(snd_pcm_sframes_t &frames)
{
    const std::lock_guard lock{mutex_};
    sync(read_monotonic_clock());
    frames = static_cast<snd_pcm_sframes_t>(std::max<int64_t>(0, queued()));
    return state_error(io_.state);
}

/// Returns the events that a kernel device reports in the same state.
unsigned short VirtualPlayback::poll_events()
{
    const std::lock_guard lock{mutex_};
    sync(read_monotonic_clock());
    switch (io_.state) {
    case SND_PCM_STATE_RUNNING:
    case SND_PCM_STATE_PREPARED:
    case SND_PCM_STATE_DRAINING:
        return alarm_.time() == PollAlarm::at_once ? POLLOUT : 0;
    case SND_PCM_STATE_PAUSED:
        return 0;
    case SND_PCM_STATE_DISCONNECTED:
        return POLLERR | POLLNVAL;
    default:
        return POLLOUT | POLLERR;
    }
}

/// Makes the polled descriptor readable while the ring buffer has room for avail_min frames, or the
/// state requires the program to act. A frozen clock sets no alarm until it continues.
void VirtualPlayback::set_alarm(uint64_t written, int64_t now)
{
    const bool drains = io_.state == SND_PCM_STATE_DRAINING;
    const bool waits =
        io_.state == SND_PCM_STATE_RUNNING || drains || io_.state == SND_PCM_STATE_PREPARED;
    if (!waits)
        return alarm_.set(PollAlarm::at_once);
    const uint64_t room = std::min<uint64_t>(avail_min_, io_.buffer_size);
    const uint64_t wanted =
        drains ? written : written + room - std::min<uint64_t>(written + room, io_.buffer_size);
    if (visible_ >= wanted)
        return alarm_.set(PollAlarm::at_once);
    if (!is_playing())
        return alarm_.set(PollAlarm::never);
    const uint64_t step = (wanted + granularity_ - 1) / granularity_;
    const int64_t time =
        drains ? clock_.time_of(wanted) : clock_.time_of(step * granularity_) + pointer_delay(step);
    alarm_.set(time <= now ? PollAlarm::at_once : time);
}

} // namespace jkvm::testing
