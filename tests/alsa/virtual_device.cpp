// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements the capture side of the test PCM: signal, clock, faults and wake-ups.
#include "alsa/virtual_device.h"

#include "alsa/pcm_state.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace jkvm::testing {
namespace {

constexpr int64_t ns_per_ms = 1'000'000;
constexpr size_t chunk_frames = 512;

/// Returns the start time of the content if it continues across reopens in this directory.
std::optional<int64_t> content_epoch(ControlDirectory &control, int64_t now)
{
    const auto text = control.read("continue");
    if (!text)
        return std::nullopt;
    int64_t epoch = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), epoch);
    if (error == std::errc{} && end == text->data() + text->size() && epoch <= now)
        return epoch;
    control.write("continue", std::to_string(now));
    return now;
}

} // namespace

VirtualDevice::VirtualDevice(ControlDirectory control, Signal signal)
    : control_{std::move(control)}, signal_{std::move(signal)}
{
    control_.open_commands();
    alarm_.watch(control_.command_fd());
    if (const auto epoch = content_epoch(control_, read_monotonic_clock()))
        clock_.run_since(*epoch);

    LineSplitter faults;
    faults.feed(control_.read("at_open").value_or("") + "\n", [this](std::string_view line) {
        apply(parse_command(line), read_monotonic_clock());
    });

    io_.version = SND_PCM_IOPLUG_VERSION;
    io_.name = "jkvm test capture";
    // Without BOUNDARY_WA, a pointer that advanced by a whole buffer would look unchanged.
    io_.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
    io_.poll_fd = alarm_.fd();
    io_.poll_events = POLLIN;
    io_.private_data = this;
}

int VirtualDevice::set_hw_params()
{
    const std::lock_guard lock{mutex_};
    clock_.set_rate(io_.rate, read_monotonic_clock());
    signal_.set_rate(io_.rate);
    format_ = sample_format(io_.format);
    scratch_.resize(chunk_frames * io_.channels);
    control_.log("hw_params rate=" + std::to_string(io_.rate) + " channels=" +
                 std::to_string(io_.channels) + " format=" + snd_pcm_format_name(io_.format) +
                 " period=" + std::to_string(io_.period_size) + " buffer=" +
                 std::to_string(io_.buffer_size) + " access=" + snd_pcm_access_name(io_.access));
    return 0;
}

int VirtualDevice::set_sw_params(const snd_pcm_sw_params_t *params)
{
    const std::lock_guard lock{mutex_};
    snd_pcm_sw_params_get_avail_min(params, &avail_min_);
    snd_pcm_sw_params_get_stop_threshold(params, &stop_threshold_);
    snd_pcm_sw_params_get_boundary(params, &boundary_);
    return 0;
}

int VirtualDevice::prepare()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = read_monotonic_clock();
    read_commands(now);
    visible_ = 0;
    set_alarm(SND_PCM_STATE_PREPARED, 0, now);
    control_.log("prepare");
    return 0;
}

int VirtualDevice::start()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = read_monotonic_clock();
    clock_.start(now);
    set_alarm(SND_PCM_STATE_RUNNING, 0, now);
    control_.log("start at=" + std::to_string(clock_.content_position(0)));
    return 0;
}

int VirtualDevice::stop()
{
    const std::lock_guard lock{mutex_};
    set_alarm(SND_PCM_STATE_SETUP, io_.appl_ptr, read_monotonic_clock());
    control_.log("stop");
    return 0;
}

int VirtualDevice::resume()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = read_monotonic_clock();
    read_commands(now);
    if (io_.state != SND_PCM_STATE_SUSPENDED)
        return state_error(io_.state);
    clock_.resume(now);
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_RUNNING);
    set_alarm(io_.state, io_.appl_ptr, now);
    control_.log("resume");
    return 0;
}

void VirtualDevice::read_commands(int64_t now)
{
    control_.read_commands([this, now](std::string_view line) {
        control_.log("cmd " + std::string(line));
        apply(parse_command(line), now);
    });
}

void VirtualDevice::apply(const Command &command, int64_t now)
{
    using Kind = Command::Kind;
    const auto frame = [this] { return clock_.content_position(io_.appl_ptr); };
    switch (command.kind) {
    case Kind::xrun:
    case Kind::suspend:
    case Kind::gap:
        return apply_to_stream(command, now);
    case Kind::unplug:
        return disconnect();
    case Kind::freeze:
        frozen_ = command.value > 0;
        return clock_.freeze(static_cast<int64_t>(command.value * ns_per_ms), now);
    case Kind::fail_once:
    case Kind::fail_always:
        read_error_ = static_cast<int>(command.value);
        read_error_stays_ = command.kind == Kind::fail_always;
        return;
    case Kind::short_reads:
        short_ = static_cast<uint64_t>(command.value);
        return;
    case Kind::frequency:
        return signal_.set_frequency(command.value, frame());
    case Kind::amplitude:
        return signal_.set_amplitude(command.value);
    case Kind::constant:
        return signal_.set_constant(command.off ? std::nullopt : std::optional(command.value));
    case Kind::source_rate:
        return clock_.set_source_rate(command.value, now);
    case Kind::drift:
        return clock_.set_drift(command.value, now);
    case Kind::granularity:
    case Kind::pointer_jitter:
    case Kind::refuse_resume:
        return control_.log("ignored: this is a capture device");
    case Kind::unknown:
        return control_.log("unknown command");
    }
}

void VirtualDevice::apply_to_stream(const Command &command, int64_t now)
{
    if (io_.state != SND_PCM_STATE_RUNNING)
        return control_.log(std::string("ignored: the stream is ") + snd_pcm_state_name(io_.state));
    clock_.advance(now, io_.appl_ptr + io_.buffer_size - 1);
    if (command.kind == Command::Kind::gap)
        return clock_.lose(static_cast<uint64_t>(command.value));
    const bool suspended = command.kind == Command::Kind::suspend;
    if (suspended)
        clock_.suspend(now);
    snd_pcm_ioplug_set_state(&io_, suspended ? SND_PCM_STATE_SUSPENDED : SND_PCM_STATE_XRUN);
}

// In this state alsa-lib allows only closing the PCM.
void VirtualDevice::disconnect()
{
    control_.write("open_errno", "ENODEV\n");
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_DISCONNECTED);
}

/// Executes pending commands, advances the clock, detects an overrun and sets the next alarm.
void VirtualDevice::sync(int64_t now)
{
    read_commands(now);
    if (frozen_ && !clock_.is_frozen(now)) {
        frozen_ = false;
        control_.log("thaw");
    }
    if (io_.state == SND_PCM_STATE_RUNNING) {
        clock_.advance(now, io_.appl_ptr + io_.buffer_size - 1);
        if (unread() >= stop_threshold_) {
            control_.log("overrun made=" + std::to_string(clock_.frames()) +
                         " read=" + std::to_string(io_.appl_ptr));
            snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_XRUN);
        }
    }
    set_alarm(io_.state, io_.appl_ptr, now);
}

// appl_ptr wraps at the boundary: never in practice with 64 bits, after half a day with 32 bits.
uint64_t VirtualDevice::unread() const
{
    return clock_.frames() > io_.appl_ptr ? clock_.frames() - io_.appl_ptr : 0;
}

void VirtualDevice::update_visible()
{
    uint64_t visible = clock_.frames();
    if (short_ > 0)
        visible = std::min(visible, io_.appl_ptr + short_);
    // alsa-lib reads only available frames, so an error needs at least one. In mmap mode it is due
    // with the next real frame, because a placeholder frame would be visible to the program.
    if (read_error_ != 0 && !is_mmap())
        visible = std::max<uint64_t>(visible, io_.appl_ptr + 1);
    visible_ = std::max(visible_, visible);
}

uint64_t VirtualDevice::wake_threshold() const
{
    return short_ > 0 ? std::min<uint64_t>(short_, avail_min_) : avail_min_;
}

snd_pcm_sframes_t VirtualDevice::pointer()
{
    const std::lock_guard lock{mutex_};
    sync(read_monotonic_clock());
    if (io_.state == SND_PCM_STATE_RUNNING)
        update_visible();
    return static_cast<snd_pcm_sframes_t>(boundary_ > 0 ? visible_ % boundary_ : 0);
}

snd_pcm_sframes_t VirtualDevice::transfer(const snd_pcm_channel_area_t *areas,
                                          snd_pcm_uframes_t offset, snd_pcm_uframes_t frames)
{
    const std::lock_guard lock{mutex_};
    if (const int error = state_error(io_.state))
        return error;
    if (read_error_ != 0) {
        const int error = read_error_;
        // After the first frames of a read, alsa-lib does not report the error, so it stays pending
        // for the next read.
        if (is_mmap() || offset == 0) {
            control_.log("read fails " + errno_name(error));
            if (!read_error_stays_)
                read_error_ = 0;
        }
        return -error;
    }
    uint64_t first = io_.appl_ptr;
    if (is_mmap()) // offset is relative to the ring buffer
        first += (offset + io_.buffer_size - first % io_.buffer_size) % io_.buffer_size;
    store(first, areas, offset, frames);
    if (!is_mmap())
        set_alarm(io_.state, io_.appl_ptr + frames, read_monotonic_clock());
    return static_cast<snd_pcm_sframes_t>(frames);
}

void VirtualDevice::store(uint64_t frame, const snd_pcm_channel_area_t *areas,
                          snd_pcm_uframes_t offset, snd_pcm_uframes_t frames)
{
    const unsigned channels = io_.channels;
    while (frames > 0) {
        const uint64_t position = clock_.content_position(frame);
        size_t run = std::min<size_t>(frames, chunk_frames);
        if (clock_.content_position(frame + run - 1) != position + run - 1)
            run = 1; // a gap within this chunk
        signal_.fill(position, channels, std::span(scratch_).first(run * channels));
        for (unsigned c = 0; c < channels; c++) {
            auto *to = static_cast<unsigned char *>(areas[c].addr) +
                       (areas[c].first + offset * areas[c].step) / 8;
            for (size_t i = 0; i < run; i++, to += areas[c].step / 8)
                store_sample(format_, scratch_[i * channels + c], to);
        }
        frame += run;
        offset += run;
        frames -= run;
    }
}

int VirtualDevice::delay(snd_pcm_sframes_t &frames)
{
    const std::lock_guard lock{mutex_};
    sync(read_monotonic_clock());
    frames = static_cast<snd_pcm_sframes_t>(unread());
    return state_error(io_.state);
}

/// Returns the events that a kernel device reports in the same state.
unsigned short VirtualDevice::poll_events()
{
    const std::lock_guard lock{mutex_};
    sync(read_monotonic_clock());
    switch (io_.state) {
    case SND_PCM_STATE_RUNNING:
        return alarm_.time() == PollAlarm::at_once ? POLLIN : 0;
    case SND_PCM_STATE_PREPARED:
    case SND_PCM_STATE_PAUSED:
        return 0;
    case SND_PCM_STATE_DISCONNECTED:
        return POLLERR | POLLNVAL;
    default:
        return POLLIN | POLLERR;
    }
}

/// Makes the polled descriptor readable while a reader that has read `read` frames has to act in
/// `state`. A commit in mmap mode is not signalled to the plugin, so poll may wake up once
/// spuriously there.
void VirtualDevice::set_alarm(snd_pcm_state_t state, snd_pcm_uframes_t read, int64_t now)
{
    if (state == SND_PCM_STATE_PREPARED || state == SND_PCM_STATE_PAUSED)
        return alarm_.set(PollAlarm::never);
    if (state != SND_PCM_STATE_RUNNING || (read_error_ != 0 && !is_mmap()))
        return alarm_.set(PollAlarm::at_once);
    const uint64_t wanted = read + wake_threshold();
    const int64_t time = clock_.time_of(wanted);
    alarm_.set(clock_.frames() >= wanted || time <= now ? PollAlarm::at_once : time);
}

} // namespace jkvm::testing
