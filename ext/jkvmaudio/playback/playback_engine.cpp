// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_engine.h"

#include "core/opus/opus_packet.h"

#include <algorithm>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Minimum ring target: with a lower one, ordinary wake-up latency would cause underruns.
constexpr nanoseconds smallest_target = 10ms;
// Maximum interval between steps, which keeps counters and states up to date.
constexpr nanoseconds longest_sleep = 100ms;
// A missing packet is concealed when the ring holds less than this: as late as possible, because
// the following packet may contain FEC. With a ring target of 24 ms and packets of 20 ms, that
// packet is queued 5 ms before the missing one is due.
constexpr nanoseconds conceal_below = 4ms;
// Length of one step of concealment, after which the packet may have arrived.
constexpr nanoseconds conceal_step = 10ms;
// Tolerance for due times, which are rounded and derived from two clocks.
constexpr nanoseconds due_time_error = 1ms;
// A longer gap is filled with silence.
constexpr nanoseconds longest_loss = 120ms;

std::size_t frames_of(const QueuedItem &item)
{
    if (item.format.coding == PlaybackFormat::Coding::opus)
        return OpusFrameDecoder::max_samples / 2; // 60 ms: more than any single frame
    const std::size_t bytes = item.format.coding == PlaybackFormat::Coding::s16 ? 2 : 4;
    return item.data.size() / (bytes * item.format.channels);
}

} // namespace

PlaybackEngine::PlaybackEngine(Config config, PlaybackQueue &queue, Host &host)
    : config_(std::move(config)), queue_(queue), host_(host), session_(config_.devices, *this),
      output_(config_.follows_clock, config_.open_pitch_control),
      target_(smallest_target, config_.buffer_time / 2)
{
    session_.start();
}

Status PlaybackEngine::open_stream(const std::string &pcm_name)
{
    return output_.open({.device = pcm_name,
                         .channels = 2,
                         .period = config_.period,
                         .buffer_time = config_.buffer_time});
}

void PlaybackEngine::update(Snapshot &snapshot) const
{
    snapshot.state = supervisor().state();
    snapshot.trouble = supervisor().trouble();
    snapshot.ratio_ppm = output_.ratio_ppm();
    snapshot.pitch_ppm = output_.pitch_ppm();
    snapshot.drift_ppm = output_.drift_ppm();
    snapshot.playout_error = output_.playout_error();
    snapshot.ring_target = target_.time();
    snapshot.latency = latency();
    snapshot.playout_end = output_.playout_end();
    snapshot.depth = output_.is_ready() ? output_.ahead(monotonic_now()) : 0ns;
    if (output_.is_open()) {
        snapshot.device = session_.device();
        snapshot.format = output_.format();
    } else {
        snapshot.device.clear();
        snapshot.format = {};
    }
    snapshot.counters = counters_;
    snapshot.counters.realignments = output_.realignments();
    snapshot.counters.decoder = decoder_.counters();
}

// --- the device ---

void PlaybackEngine::set_devices(std::vector<std::string> devices)
{
    config_.devices = devices;
    const auto before = session_.device();
    session_.set_devices(std::move(devices), monotonic_now());
    if (!supervisor().is_open() || session_.device() != before)
        end_stream();
}

void PlaybackEngine::update_device()
{
    switch (output_.update()) {
    case PlaybackPcm::Outcome::ready:
        break;
    case PlaybackPcm::Outcome::underrun:
        on_underrun();
        break;
    case PlaybackPcm::Outcome::suspended:
        session_.suspend();
        break;
    case PlaybackPcm::Outcome::failed:
        session_.lose(Error(output_.error())); // a copy: the device is closed
        break;
    }
}

void PlaybackEngine::on_underrun()
{
    ++counters_.underruns;
    is_stream_active_ = false;
    session_.on_restarted(monotonic_now());
    if (const auto started = output_.start(); !started)
        session_.lose(started.error());
}

void PlaybackEngine::check_progress(MonotonicTime now)
{
    if (output_.is_stalled(now) && supervisor().state() != DeviceState::blocked) {
        // The ring must not contain old audio when the device continues.
        const auto started = output_.start();
        if (started)
            session_.block();
        else
            session_.lose(started.error());
    } else if (output_.is_ready() && !output_.is_stalled(now)) {
        const auto trouble = supervisor().trouble();
        if (session_.on_frame(config_.period, now)) {
            if (trouble != DeviceTrouble::none)
                ++counters_.recoveries.at(static_cast<std::size_t>(trouble));
            session_.report();
        }
    }
}

void PlaybackEngine::report_changes()
{
    if (const auto position = output_.take_position())
        host_.on_device_position(position->position, position->time);
    if (const auto now = latency(); std::exchange(reported_latency_, now) != now)
        host_.on_latency_changed(now);
}

// --- packets ---

MonotonicTime PlaybackEngine::step()
{
    if (queue_.take_flush())
        flush();
    auto now = monotonic_now();
    (void)session_.retry(now);
    if (session_.has_failure())
        (void)session_.take_failure(); // on_device_changed() has reported it
    if (supervisor().is_open())
        update_device();
    now = monotonic_now();
    if (supervisor().is_open())
        check_progress(now);
    play_items(now);
    report_changes();
    if (!supervisor().is_open())
        return std::min(supervisor().next_event(), now + longest_sleep);
    if (output_.has_failed())
        return now;
    conceal_late_packet(now);
    const bool is_announced = output_.next_due().value_or(MonotonicTime::max()) < announced_until_;
    if (!can_conceal() && output_.keep_playing(now) && is_stream_active_) {
        counters_.underruns += is_announced ? 0 : 1;
        end_stream();
    }
    auto next = std::min(output_.next_update(now), now + longest_sleep);
    if (output_.is_ready())
        next = std::min(next, now + output_.ahead(now) -
                                  (can_conceal() ? conceal_below : PlaybackOutput::reserve));
    return next;
}

void PlaybackEngine::play_items(MonotonicTime now)
{
    // After an underrun, the packets wait until the device was restarted.
    while (!output_.has_failed() && (has_item_ || queue_.pop(item_))) {
        has_item_ = !play(now);
        if (has_item_)
            break;
    }
}

bool PlaybackEngine::play(MonotonicTime now)
{
    if (!supervisor().is_open() || !output_.is_ready()) {
        // Until a device's clock is known, a packet is kept as long as it can still be on time.
        const bool may_play = supervisor().is_open() &&
                              supervisor().state() != DeviceState::blocked && item_.due &&
                              *item_.due > now;
        if (may_play && item_.kind != PlaybackItem::Kind::end)
            return false;
        counters_.dropped_no_device += item_.kind == PlaybackItem::Kind::audio ? 1 : 0;
        decoder_.reset();
        end_stream();
        return true;
    }
    switch (item_.kind) {
    case PlaybackItem::Kind::gap:
        // The audio is concealed by conceal_late_packet() and fill_loss(), as without a GAP event.
        if (item_.due)
            announced_until_ = *item_.due + item_.duration;
        return true;
    case PlaybackItem::Kind::end:
        output_.finish();
        end_stream();
        return true;
    default:
        return play_audio(now);
    }
}

bool PlaybackEngine::play_audio(MonotonicTime now)
{
    const bool is_early = item_.due && *item_.due - now > config_.buffer_time / 2;
    if (is_early || !output_.has_room(frames_of(item_)))
        return false;
    if (format_ != item_.format)
        end_stream();
    format_ = item_.format;
    update_target(now);
    fill_loss(item_);
    loss_begin_.reset();
    decoder_.set_gain(gain_target_);
    const auto samples = decoder_.decode(item_.format, item_.data);
    ++counters_.packets;
    counters_.bytes += item_.data.size();
    if (samples.empty())
        return true;
    if (item_.due && config_.follows_clock) {
        const auto frames = samples.size() / item_.format.channels;
        output_.set_stretch(timestamps_.next(
            {.timestamp = item_.timestamp,
             .duration = item_.duration,
             .samples = nanoseconds(std::chrono::seconds(frames)) / VariableResampler::rate,
             .due = *item_.due}));
    }
    if (!output_.write(samples, item_.format.channels, item_.due)) {
        ++counters_.dropped_late;
        return true;
    }
    is_stream_active_ = true;
    if (item_.due)
        host_.on_played({.time = *item_.due + output_.playout_error(),
                         .error = output_.playout_error(),
                         .captured = item_.captured});
    return true;
}

void PlaybackEngine::end_stream()
{
    is_stream_active_ = false;
    loss_begin_.reset();
    timestamps_.restart();
    output_.set_stretch(0);
}

// --- lost packets ---

bool PlaybackEngine::can_conceal() const
{
    return is_stream_active_ && format_.coding == PlaybackFormat::Coding::opus &&
           output_.is_ready() && output_.next_due();
}

void PlaybackEngine::conceal_late_packet(MonotonicTime now)
{
    while (can_conceal() && output_.ahead(now) < conceal_below) {
        const auto begin = *output_.next_due();
        if (!loss_begin_) {
            loss_begin_ = begin;
            counters_.underruns += begin < announced_until_ ? 0 : 1;
        }
        if (begin - *loss_begin_ >= OpusFrameDecoder::fade_end) {
            end_stream(); // only silence is output until the next packet
            break;
        }
        conceal(begin, conceal_step, {});
    }
}

void PlaybackEngine::fill_loss(const QueuedItem &next)
{
    if (!can_conceal() || !next.due)
        return;
    const auto end = *next.due;
    const auto filled = *output_.next_due();
    auto begin = filled;
    if (has_in_band_fec(next.data)) {
        // FEC recovers a whole frame. If its beginning was already concealed, its rest is played.
        const auto frame = end - opus_packet_facts(next.data)->frame_duration;
        const bool is_frame = std::chrono::abs(filled - frame) < due_time_error;
        const bool is_rest = filled > frame && loss_begin_ && *loss_begin_ - frame < due_time_error;
        begin = is_frame || is_rest ? frame : filled;
    }
    const auto lost = end - begin;
    if (lost > longest_loss)
        decoder_.reset();
    else if (lost > due_time_error)
        conceal(begin, lost, next.data);
}

void PlaybackEngine::conceal(MonotonicTime begin, nanoseconds duration,
                             std::span<const std::byte> next)
{
    const auto samples = decoder_.conceal(format_, duration, next);
    if (!samples.empty())
        (void)output_.write(samples, format_.channels, begin);
}

void PlaybackEngine::update_target(MonotonicTime now)
{
    if (is_stream_active_ && item_.due && !item_.is_overdue)
        (void)target_.on_write(*item_.due - now, now);
}

void PlaybackEngine::flush()
{
    if (std::exchange(has_item_, false) && item_.kind == PlaybackItem::Kind::audio)
        ++counters_.dropped_flush;
    end_stream();
    decoder_.reset();
    output_.discard();
}

} // namespace jkvm
