// SPDX-License-Identifier: LGPL-2.1-or-later
// The virtual capture device behind the test PCM: signal, clock, faults and wake-ups in one.
#include "alsa/virtual_device.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <system_error>

namespace jkvm::testing {
namespace {

constexpr int64_t ns_per_second = 1'000'000'000;
constexpr int64_t ns_per_ms = 1'000'000;
constexpr int64_t at_once = 1; // a time long past: the descriptor is readable until set anew
constexpr size_t chunk_frames = 512;

int64_t monotonic_now()
{
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * ns_per_second + now.tv_nsec;
}

SampleFormat sample_format(snd_pcm_format_t format)
{
    switch (format) {
    case SND_PCM_FORMAT_S24_LE:
        return SampleFormat::s24_le;
    case SND_PCM_FORMAT_S24_3LE:
        return SampleFormat::s24_3le;
    case SND_PCM_FORMAT_S32_LE:
        return SampleFormat::s32_le;
    default:
        return SampleFormat::s16_le;
    }
}

/// What a read of a stream in this state returns; 0 where it can be read.
int state_error(snd_pcm_state_t state)
{
    switch (state) {
    case SND_PCM_STATE_XRUN:
        return -EPIPE;
    case SND_PCM_STATE_SUSPENDED:
        return -ESTRPIPE;
    case SND_PCM_STATE_DISCONNECTED:
        return -ENODEV;
    default:
        return 0;
    }
}

/// When the content began, where the directory asks for content that goes on across re-opens.
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
    : control_{std::move(control)}, signal_{std::move(signal)},
      timer_{timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)}, epoll_{epoll_create1(
                                                                               EPOLL_CLOEXEC)}
{
    if (!timer_ || !epoll_)
        throw std::system_error(errno, std::generic_category());
    control_.open_commands();
    epoll_event event = {};
    event.events = EPOLLIN;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
    if (control_.command_fd() >= 0)
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, control_.command_fd(), &event);
    if (const auto epoch = content_epoch(control_, monotonic_now()))
        clock_.run_since(*epoch);

    LineSplitter faults;
    faults.feed(control_.read("at_open").value_or("") + "\n",
                [this](std::string_view line) { apply(parse_command(line), monotonic_now()); });

    io_.version = SND_PCM_IOPLUG_VERSION;
    io_.name = "jkvm test capture";
    // Without the second flag a pointer that moved by a whole buffer would look unmoved.
    io_.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
    io_.poll_fd = epoll_.get();
    io_.poll_events = POLLIN;
    io_.private_data = this;
}

int VirtualDevice::set_hw_params()
{
    const std::lock_guard lock{mutex_};
    clock_.set_rate(io_.rate, monotonic_now());
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
    const int64_t now = monotonic_now();
    read_commands(now);
    visible_ = 0;
    set_alarm(SND_PCM_STATE_PREPARED, 0, now);
    control_.log("prepare");
    return 0;
}

int VirtualDevice::start()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = monotonic_now();
    clock_.start(now);
    set_alarm(SND_PCM_STATE_RUNNING, 0, now);
    control_.log("start at=" + std::to_string(clock_.content_position(0)));
    return 0;
}

int VirtualDevice::stop()
{
    const std::lock_guard lock{mutex_};
    set_alarm(SND_PCM_STATE_SETUP, io_.appl_ptr, monotonic_now());
    control_.log("stop");
    return 0;
}

int VirtualDevice::resume()
{
    const std::lock_guard lock{mutex_};
    const int64_t now = monotonic_now();
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

// alsa-lib lets nothing but a close happen to a PCM in this state.
void VirtualDevice::disconnect()
{
    control_.write("open_errno", "ENODEV\n");
    snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_DISCONNECTED);
}

/// Takes the commands, moves the clock, finds an overrun and sets the alarm for all that.
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

// appl_ptr wraps at the boundary; that is never reached with 64 bits, and after half a day with 32.
uint64_t VirtualDevice::unread() const
{
    return clock_.frames() > io_.appl_ptr ? clock_.frames() - io_.appl_ptr : 0;
}

void VirtualDevice::update_visible()
{
    uint64_t visible = clock_.frames();
    if (short_ > 0)
        visible = std::min(visible, io_.appl_ptr + short_);
    // alsa-lib reads only what is there, so an error needs a frame to strike at. In mmap mode the
    // next real frames do; a frame made up would be handed out there.
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
    sync(monotonic_now());
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
        // After the first frames of a read, alsa-lib keeps the error to itself: it is then still
        // due at the next read.
        if (is_mmap() || offset == 0) {
            control_.log("read fails " + errno_name(error));
            if (!read_error_stays_)
                read_error_ = 0;
        }
        return -error;
    }
    uint64_t first = io_.appl_ptr;
    if (is_mmap()) // offset is that of the ring
        first += (offset + io_.buffer_size - first % io_.buffer_size) % io_.buffer_size;
    store(first, areas, offset, frames);
    if (!is_mmap())
        set_alarm(io_.state, io_.appl_ptr + frames, monotonic_now());
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
            run = 1; // a hole in this chunk
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
    sync(monotonic_now());
    frames = static_cast<snd_pcm_sframes_t>(unread());
    return state_error(io_.state);
}

/// The events a kernel device reports in the same state.
unsigned short VirtualDevice::poll_events()
{
    const std::lock_guard lock{mutex_};
    sync(monotonic_now());
    switch (io_.state) {
    case SND_PCM_STATE_RUNNING:
        return alarm_ == at_once ? POLLIN : 0;
    case SND_PCM_STATE_PREPARED:
    case SND_PCM_STATE_PAUSED:
        return 0;
    case SND_PCM_STATE_DISCONNECTED:
        return POLLERR | POLLNVAL;
    default:
        return POLLIN | POLLERR;
    }
}

/// Makes the polled descriptor readable as long as a reader in `state` that has read `read`
/// frames has something to do. In mmap mode nothing tells of a commit, so there a poll may wake up
/// once for nothing.
void VirtualDevice::set_alarm(snd_pcm_state_t state, snd_pcm_uframes_t read, int64_t now)
{
    if (state == SND_PCM_STATE_PREPARED || state == SND_PCM_STATE_PAUSED)
        return wake_at(DeviceClock::never);
    if (state != SND_PCM_STATE_RUNNING || (read_error_ != 0 && !is_mmap()))
        return wake_at(at_once);
    const uint64_t wanted = read + wake_threshold();
    const int64_t time = clock_.time_of(wanted);
    wake_at(clock_.frames() >= wanted || time <= now ? at_once : time);
}

void VirtualDevice::wake_at(int64_t time)
{
    if (alarm_ == time)
        return;
    alarm_ = time;
    itimerspec when = {};
    if (time != DeviceClock::never) {
        when.it_value.tv_sec = time / ns_per_second;
        when.it_value.tv_nsec = time % ns_per_second;
    }
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

} // namespace jkvm::testing
