// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/virtual_playback.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace jkvm::testing {
namespace {

constexpr int64_t ns_per_us = 1'000;

} // namespace

VirtualPlayback::VirtualPlayback(ControlDirectory control, std::unique_ptr<AudioLoopback> loopback)
    : VirtualPcm{std::move(control), "jkvm test playback"}, recorder_{control_}, loopback_{
                                                                                     std::move(
                                                                                         loopback)}
{}

VirtualPlayback::~VirtualPlayback()
{
    play(time_.now());
    on_halted("close");
}

void VirtualPlayback::on_hw_params()
{
    ring_.assign(io_.buffer_size * io_.channels, 0);
    recorder_.set_channels(io_.channels);
}

void VirtualPlayback::on_prepare(int64_t now)
{
    play(now);
    on_halted("prepare");
    alarm_.set(PollAlarm::at_once);
}

int VirtualPlayback::on_start(int64_t now)
{
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

void VirtualPlayback::on_stop(int64_t now)
{
    play(now);
    on_halted("stop");
}

void VirtualPlayback::on_resume(int64_t)
{
    halted_ = false;
    mark("resume");
}

void VirtualPlayback::apply_to_direction(const Command &command, int64_t)
{
    using Kind = Command::Kind;
    switch (command.kind) {
    case Kind::granularity:
        granularity_ = std::max<uint64_t>(1, static_cast<uint64_t>(command.value));
        return;
    case Kind::pointer_jitter:
        jitter_ = static_cast<int64_t>(command.value * ns_per_us);
        return;
    default:
        return control_.log("ignored: this is a playback device");
    }
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
        const auto samples = std::span(ring_).subspan(at * io_.channels, run * io_.channels);
        recorder_.append(samples);
        for (uint64_t i = 0; loopback_ && i < run; i++)
            loopback_->play(clock_.time_of(recorded_ + i),
                            samples.subspan(i * io_.channels, io_.channels));
        recorded_ += run;
    }
}

/// Logs the next frame to be played. A frozen clock has a known time at which it continues.
void VirtualPlayback::mark(std::string_view event)
{
    if (!halted_)
        recorder_.mark(control_, event, clock_.time_of(recorded_), clock_.speed());
}

void VirtualPlayback::on_halted(std::string_view event)
{
    mark(event);
    halted_ = true;
}

void VirtualPlayback::sync(int64_t now)
{
    read_commands(now);
    play(now);
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

snd_pcm_sframes_t VirtualPlayback::move_frames(const snd_pcm_channel_area_t *areas,
                                               snd_pcm_uframes_t offset, snd_pcm_uframes_t frames,
                                               int64_t now)
{
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

unsigned short VirtualPlayback::stream_events() const
{
    return alarm_.time() == PollAlarm::at_once ? POLLOUT : 0;
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
    wake_at(time, now);
}

} // namespace jkvm::testing
