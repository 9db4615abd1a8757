// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_engine.h"

#include <algorithm>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// The minimum of the ring target: below it, an ordinary wake-up misses the deadline.
constexpr nanoseconds smallest_target = 10ms;
// Maximum interval of steps, so that counters and states are current.
constexpr nanoseconds longest_sleep = 100ms;

std::size_t frames_of(const PlaybackItem &item)
{
    if (item.format.coding == PlaybackFormat::Coding::opus)
        return OpusFrameDecoder::max_samples / 2; // 60 ms: more than any single frame
    const std::size_t bytes = item.format.coding == PlaybackFormat::Coding::s16 ? 2 : 4;
    return item.data.size() / (bytes * item.format.channels);
}

} // namespace

PlaybackEngine::PlaybackEngine(Config config, PlaybackQueue &queue, Host &host)
    : config_(std::move(config)), queue_(queue), host_(host), session_(config_.devices, *this),
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

nanoseconds PlaybackEngine::latency() const
{
    return target_.time();
}

PlaybackEngine::Snapshot PlaybackEngine::snapshot() const
{
    Snapshot snapshot{.state = supervisor().state(),
                      .trouble = supervisor().trouble(),
                      .ratio_ppm = output_.ratio_ppm(),
                      .drift_ppm = output_.drift_ppm(),
                      .playout_error = output_.playout_error(),
                      .ring_target = target_.time(),
                      .playout_end = output_.playout_end(),
                      .counters = counters_};
    if (output_.is_open()) {
        snapshot.device = session_.device();
        snapshot.format = output_.format();
    }
    if (output_.is_ready())
        snapshot.depth = output_.ahead(monotonic_now());
    snapshot.counters.realignments = output_.realignments();
    snapshot.counters.decoder = decoder_.counters();
    return snapshot;
}

// --- the device ---

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

// --- packets ---

MonotonicTime PlaybackEngine::step()
{
    auto now = monotonic_now();
    (void)session_.retry(now);
    if (session_.has_failure())
        (void)session_.take_failure(); // on_device_changed() has reported it
    if (supervisor().is_open())
        update_device();
    now = monotonic_now();
    if (supervisor().is_open())
        check_progress(now);
    for (;;) {
        if (!item_) {
            if (!queue_.pop(spare_))
                break;
            item_.emplace(std::move(spare_));
        }
        if (!play(now))
            break;
        spare_ = std::move(*item_);
        item_.reset();
    }
    if (!supervisor().is_open())
        return std::min(supervisor().next_event(), now + longest_sleep);
    if (gap_ && output_.is_ready() && output_.ahead(now) < PlaybackOutput::reserve)
        resolve_gap({});
    if (output_.keep_playing(now) && is_stream_active_) {
        ++counters_.underruns;
        is_stream_active_ = false;
    }
    auto next = std::min(output_.next_update(now), now + longest_sleep);
    if (output_.is_ready())
        next = std::min(next, now + output_.ahead(now) - PlaybackOutput::reserve);
    return next;
}

bool PlaybackEngine::play(MonotonicTime now)
{
    if (!supervisor().is_open() || !output_.is_ready()) {
        // Until a device's clock is known, a packet is kept as long as it can still be on time.
        const bool may_play = supervisor().is_open() &&
                              supervisor().state() != DeviceState::blocked && item_->due &&
                              *item_->due > now;
        if (may_play && item_->kind != PlaybackItem::Kind::end)
            return false;
        counters_.dropped_no_device += item_->kind == PlaybackItem::Kind::audio ? 1 : 0;
        gap_.reset();
        decoder_.reset();
        return true;
    }
    switch (item_->kind) {
    case PlaybackItem::Kind::gap:
        resolve_gap({});
        if (item_->due)
            gap_ = Gap{*item_->due, item_->duration, item_->format};
        return true;
    case PlaybackItem::Kind::end:
        resolve_gap({});
        output_.finish();
        is_stream_active_ = false;
        return true;
    default:
        return play_audio(now);
    }
}

bool PlaybackEngine::play_audio(MonotonicTime now)
{
    const bool is_early = item_->due && *item_->due - now > config_.buffer_time / 2;
    if (is_early || !output_.has_room(frames_of(*item_)))
        return false;
    if (item_->due)
        learn_target(*item_->due, now);
    resolve_gap(item_->data);
    decoder_.set_gain(gain_target_);
    const auto samples = decoder_.decode(item_->format, item_->data);
    ++counters_.packets;
    counters_.bytes += item_->data.size();
    if (samples.empty())
        return true;
    if (output_.write(samples, item_->format.channels, item_->due))
        is_stream_active_ = true;
    else
        ++counters_.dropped_late;
    return true;
}

void PlaybackEngine::resolve_gap(std::span<const std::byte> next)
{
    const auto gap = std::exchange(gap_, std::nullopt);
    if (!gap)
        return;
    const auto samples = decoder_.conceal(gap->format, gap->duration, next);
    if (samples.empty())
        is_stream_active_ = false; // silence is not an underrun
    else if (output_.write(samples, gap->format.channels, gap->due))
        is_stream_active_ = true;
}

void PlaybackEngine::learn_target(MonotonicTime due, MonotonicTime now)
{
    if (is_stream_active_ && target_.on_write(due - now, now))
        host_.on_latency_changed(latency());
}

void PlaybackEngine::flush()
{
    item_.reset();
    gap_.reset();
    is_stream_active_ = false;
    decoder_.reset();
    output_.discard();
}

} // namespace jkvm
