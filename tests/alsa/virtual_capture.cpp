// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/virtual_capture.h"

#include <poll.h>

#include <algorithm>
#include <charconv>

namespace jkvm::testing {
namespace {

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

VirtualCapture::VirtualCapture(ControlDirectory control, Signal signal,
                               std::unique_ptr<AudioLoopback> loopback)
    : VirtualPcm{std::move(control), "jkvm test capture"}, signal_{std::move(signal)},
      loopback_{std::move(loopback)}
{
    if (const auto epoch = content_epoch(control_, time_.now()))
        clock_.run_since(*epoch);
}

void VirtualCapture::on_hw_params()
{
    signal_.set_rate(io_.rate);
    scratch_.resize(chunk_frames * io_.channels);
}

void VirtualCapture::on_prepare(int64_t now)
{
    set_alarm(SND_PCM_STATE_PREPARED, 0, now);
}

int VirtualCapture::on_start(int64_t now)
{
    clock_.start(now);
    set_alarm(SND_PCM_STATE_RUNNING, 0, now);
    control_.log("start at=" + std::to_string(clock_.content_position(0)));
    return 0;
}

void VirtualCapture::advance(int64_t now)
{
    if (io_.state == SND_PCM_STATE_RUNNING)
        clock_.advance(now, io_.appl_ptr + io_.buffer_size - 1);
}

void VirtualCapture::apply_to_direction(const Command &command, int64_t now)
{
    using Kind = Command::Kind;
    switch (command.kind) {
    case Kind::gap:
        if (io_.state != SND_PCM_STATE_RUNNING)
            return control_.log(std::string("ignored: the stream is ") +
                                snd_pcm_state_name(io_.state));
        advance(now);
        return clock_.lose(static_cast<uint64_t>(command.value));
    case Kind::short_reads:
        short_ = static_cast<uint64_t>(command.value);
        return;
    case Kind::frequency:
        return signal_.set_frequency(command.value, clock_.content_position(io_.appl_ptr));
    case Kind::amplitude:
        return signal_.set_amplitude(command.value);
    case Kind::constant:
        return signal_.set_constant(command.off ? std::nullopt : std::optional(command.value));
    default:
        return control_.log("ignored: this is a capture device");
    }
}

void VirtualCapture::sync(int64_t now)
{
    read_commands(now);
    advance(now);
    if (io_.state == SND_PCM_STATE_RUNNING && unread() >= stop_threshold_) {
        control_.log("overrun made=" + std::to_string(clock_.frames()) +
                     " read=" + std::to_string(io_.appl_ptr));
        snd_pcm_ioplug_set_state(&io_, SND_PCM_STATE_XRUN);
    }
    set_alarm(now);
}

// appl_ptr wraps at the boundary: never in practice with 64 bits, after half a day with 32 bits.
uint64_t VirtualCapture::unread() const
{
    return clock_.frames() > io_.appl_ptr ? clock_.frames() - io_.appl_ptr : 0;
}

void VirtualCapture::update_visible(int64_t)
{
    if (io_.state != SND_PCM_STATE_RUNNING)
        return;
    uint64_t visible = clock_.frames();
    if (short_ > 0)
        visible = std::min(visible, io_.appl_ptr + short_);
    // alsa-lib reads only available frames, so an error needs at least one. In mmap mode it is due
    // with the next real frame, because a placeholder frame would be visible to the program.
    if (has_pending_error() && !is_mmap())
        visible = std::max<uint64_t>(visible, io_.appl_ptr + 1);
    visible_ = std::max(visible_, visible);
}

uint64_t VirtualCapture::wake_threshold() const
{
    return short_ > 0 ? std::min<uint64_t>(short_, avail_min_) : avail_min_;
}

snd_pcm_sframes_t VirtualCapture::move_frames(const snd_pcm_channel_area_t *areas,
                                              snd_pcm_uframes_t offset, snd_pcm_uframes_t frames,
                                              int64_t now)
{
    uint64_t first = io_.appl_ptr;
    if (is_mmap()) // offset is relative to the ring buffer
        first += (offset + io_.buffer_size - first % io_.buffer_size) % io_.buffer_size;
    store(first, areas, offset, frames);
    if (!is_mmap())
        set_alarm(io_.state, io_.appl_ptr + frames, now);
    return static_cast<snd_pcm_sframes_t>(frames);
}

size_t VirtualCapture::read_source(uint64_t frame, size_t frames)
{
    const unsigned channels = io_.channels;
    if (loopback_) {
        for (size_t i = 0; i < frames; i++)
            loopback_->capture(clock_.time_of(frame + i),
                               std::span(scratch_).subspan(i * channels, channels));
        return frames;
    }
    const uint64_t position = clock_.content_position(frame);
    if (clock_.content_position(frame + frames - 1) != position + frames - 1)
        frames = 1; // a gap within this chunk
    signal_.fill(position, channels, std::span(scratch_).first(frames * channels));
    return frames;
}

void VirtualCapture::store(uint64_t frame, const snd_pcm_channel_area_t *areas,
                           snd_pcm_uframes_t offset, snd_pcm_uframes_t frames)
{
    const unsigned channels = io_.channels;
    while (frames > 0) {
        const size_t run = read_source(frame, std::min<size_t>(frames, chunk_frames));
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

unsigned short VirtualCapture::stream_events() const
{
    if (io_.state == SND_PCM_STATE_PREPARED)
        return 0;
    if (io_.state == SND_PCM_STATE_DRAINING)
        return POLLIN | POLLERR;
    return alarm_.time() == PollAlarm::at_once ? POLLIN : 0;
}

/// Makes the polled descriptor readable while a reader that has read `read` frames has to act in
/// `state`. A commit in mmap mode is not signalled to the plugin, so poll may wake up once
/// spuriously there.
void VirtualCapture::set_alarm(snd_pcm_state_t state, snd_pcm_uframes_t read, int64_t now)
{
    if (state == SND_PCM_STATE_PREPARED || state == SND_PCM_STATE_PAUSED)
        return alarm_.set(PollAlarm::never);
    if (state != SND_PCM_STATE_RUNNING || (has_pending_error() && !is_mmap()))
        return alarm_.set(PollAlarm::at_once);
    const uint64_t wanted = read + wake_threshold();
    wake_at(clock_.frames() >= wanted ? now : clock_.time_of(wanted), now);
}

} // namespace jkvm::testing
