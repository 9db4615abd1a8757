// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_output.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Silence in the ring while the clock is unknown: more than the step of a coarse pointer.
constexpr nanoseconds unlocked_reserve = 45ms;
// Interval of the searches for an edge of the pointer. It is longer than a packet of 20 ms,
// because a packet causes a reading, which suffices if the pointer is exact.
constexpr nanoseconds search_interval = 25ms;
// The hardware may have fetched this much audio already, so it is not removed from the ring.
constexpr nanoseconds rewind_margin = 3ms;

} // namespace

Status PlaybackOutput::open(const AlsaDevice::Config &config)
{
    auto pcm = PlaybackPcm::open(config);
    if (!pcm)
        return pcm.error();
    pitch_control_.reset();
    pcm_.emplace(std::move(*pcm));
    if (follows_clock_ && open_pitch_control_)
        pitch_control_ = open_pitch_control_(pcm_->handle());
    clock_.set_pitch(1, 0);
    // The estimated rate is kept: a reopened device has the same clock, and the estimate adapts
    // quickly to the clock of another one.
    const auto rate = pcm_->format().rate;
    if (clock_.rate() != rate) {
        clock_ = PlaybackClock(rate);
        edges_ = PointerEdgeDetector(rate);
    }
    resampler_.reset();
    driver_delay_.reset();
    stall_ = PointerStallDetector(pcm_->format().is_coarse ? pcm_->format().period : 0ns);
    return Done{};
}

Status PlaybackOutput::start()
{
    clock_.restart();
    edges_.restart();
    stall_.restart();
    control_.realign();
    next_due_.reset();
    search_from_ = {};
    driver_delay_.restart();
    pitch_set_ = {}; // a host resets the control when it starts to record
    if (resampler_)
        resampler_->reset();
    auto started = pcm_->start(unlocked_reserve);
    silence_tail_ = static_cast<std::size_t>(pcm_->written());
    return started;
}

AlsaDevice::Resumed PlaybackOutput::resume()
{
    const auto resumed = pcm_->resume();
    if (resumed != AlsaDevice::Resumed::running)
        return resumed;
    return start() ? AlsaDevice::Resumed::running : AlsaDevice::Resumed::failed;
}

PlaybackPcm::Outcome PlaybackOutput::update()
{
    const auto outcome = pcm_->update();
    if (outcome != PlaybackPcm::Outcome::ready)
        return outcome;
    const auto now = monotonic_now();
    stall_.on_reading(pcm_->pointer(), now);
    if (const auto edge = edges_.on_reading(pcm_->pointer(), now)) {
        clock_.observe(pcm_->pointer(), *edge);
        search_from_ = is_ready() ? now + search_interval : now;
        position_ = Position{clock_.to_time(pcm_->pointer()), *edge};
        // The driver's delay is valid only directly after the pointer was read.
        if (driver_delay_.is_due(now))
            driver_delay_.on_measurement(pcm_->driver_delay(), now);
    }
    return outcome;
}

MonotonicTime PlaybackOutput::next_update(MonotonicTime now) const
{
    return std::max(edges_.next_reading(clock_, search_from_),
                    now + PointerEdgeDetector::resolution);
}

nanoseconds PlaybackOutput::ahead(MonotonicTime now) const
{
    return clock_.time_of(pcm_->written()) - now;
}

bool PlaybackOutput::has_room(std::size_t stream_frames) const
{
    const auto frames = stream_frames * pcm_->format().rate / VariableResampler::rate;
    // With a margin of 1 % for the ratio and of 64 frames for those that the resampler holds. A
    // packet longer than the ring is truncated.
    const auto largest = pcm_->to_frames(pcm_->format().buffer_time - reserve);
    return pcm_->room() >= std::min(frames + frames / 100 + 64, largest);
}

void PlaybackOutput::add_silence(std::size_t frames)
{
    silence_tail_ += pcm_->write_silence(frames);
}

bool PlaybackOutput::keep_playing(MonotonicTime now)
{
    if (!is_ready()) {
        const auto queued = pcm_->written() - pcm_->pointer();
        const auto wanted = pcm_->to_frames(unlocked_reserve);
        if (queued < wanted)
            add_silence(wanted - queued);
        return false;
    }
    const auto left = ahead(now);
    if (left >= reserve)
        return false;
    const bool was_audio = silence_tail_ == 0;
    add_silence(pcm_->to_frames(reserve + 5ms - left));
    if (was_audio) {
        control_.realign();
        next_due_.reset();
    }
    return was_audio;
}

std::size_t PlaybackOutput::shift(std::int64_t silence, MonotonicTime now)
{
    if (silence >= 0) {
        add_silence(static_cast<std::size_t>(silence));
        return 0;
    }
    const auto late = static_cast<std::size_t>(-silence);
    const auto margin = rewind_margin + (edges_.is_exact() ? 0ns : pcm_->format().period);
    const auto safe = pcm_->to_frames(ahead(now) - margin);
    const auto taken = pcm_->rewind(std::min({late, silence_tail_, safe}));
    silence_tail_ -= taken;
    return late - taken;
}

bool PlaybackOutput::needs_resampler() const
{
    return (follows_clock_ && !pitch_control_) || pcm_->format().rate != VariableResampler::rate;
}

bool PlaybackOutput::prepare_resampler(unsigned channels)
{
    if (channels_ == channels && (resampler_ || !needs_resampler()))
        return true;
    resampler_.reset();
    channels_ = channels;
    if (!needs_resampler())
        return true;
    if (auto made = VariableResampler::create(channels, pcm_->format().rate))
        resampler_.emplace(std::move(*made));
    return resampler_.has_value();
}

bool PlaybackOutput::write(std::span<const float> samples, unsigned channels,
                           std::optional<MonotonicTime> due)
{
    if (!prepare_resampler(channels))
        return false;
    const auto now = monotonic_now();
    const auto stream_time = [this](double count) {
        return std::chrono::duration_cast<nanoseconds>(
            std::chrono::duration<double>(count * (1 + stretch_ * 1e-6) / VariableResampler::rate));
    };
    if (due && (!next_due_ || std::chrono::abs(*due - *next_due_) > largest_step))
        control_.realign();
    const auto frames = samples.size() / channels;
    const auto duration = stream_time(static_cast<double>(frames));
    // The next output of the resampler belongs to the input that it still holds.
    const auto held = stream_time(resampler_ ? resampler_->held() : 0);
    const auto begin = due ? *due - held - driver_delay_.value() : clock_.time_of(pcm_->written());
    const auto step = control_.next(clock_, pcm_->written(), begin, stretch_);
    if (pitch_control_)
        set_pitch_for(step.ratio);
    ratio_ = pitch_control_ ? 1 : step.ratio;
    if (step.silence != 0) {
        ++realignments_;
        const auto late = shift(step.silence, now) * VariableResampler::rate / pcm_->format().rate;
        if (late * channels >= samples.size()) {
            if (!next_due_) // otherwise concealed audio was played instead, and is aligned
                control_.realign();
            return false;
        }
        samples = samples.subspan(late * channels);
    }
    next_due_ = (due ? *due : begin + driver_delay_.value()) + duration;
    if (resampler_)
        resampler_->set_ratio(ratio_);
    write_resampled(samples);
    return true;
}

void PlaybackOutput::set_pitch_for(double ratio)
{
    // An unchanged value is set again after this time, because a host resets the control when it
    // starts to record.
    constexpr nanoseconds interval = 1s;
    constexpr double urgent = 10e-6;
    const auto now = monotonic_now();
    const auto pitch = std::clamp(std::lround(PitchControl::nominal / ratio),
                                  pitch_control_->minimum(), pitch_control_->maximum());
    const double factor = static_cast<double>(pitch) / PitchControl::nominal;
    if (std::abs(factor - clock_.pitch()) < urgent && now - pitch_set_ < interval)
        return;
    pitch_set_ = now;
    if (pitch_control_->set(pitch)) {
        clock_.set_pitch(factor, clock_.frame_at(now));
        return;
    }
    pitch_control_.reset(); // later packets are resampled
    clock_.set_pitch(1, clock_.frame_at(now));
}

void PlaybackOutput::write_resampled(std::span<const float> samples)
{
    if (!resampler_)
        pcm_->write(samples, channels_);
    while (resampler_ && !samples.empty()) {
        const auto chunk =
            samples.first(std::min(samples.size(), resampler_->largest_input() * channels_));
        pcm_->write(resampler_->process(chunk), channels_);
        samples = samples.subspan(chunk.size());
    }
    silence_tail_ = 0;
}

void PlaybackOutput::finish()
{
    if (silence_tail_ > 0)
        return;
    control_.realign();
    next_due_.reset();
    if (!resampler_)
        return;
    constexpr std::size_t frames = 64; // more than the resampler holds
    constexpr std::array<float, 2 * frames> zeros{};
    write_resampled(std::span(zeros).first(frames * channels_));
    resampler_->reset();
}

void PlaybackOutput::discard()
{
    if (!is_ready())
        return;
    const auto safe = pcm_->to_frames(ahead(monotonic_now()) - rewind_margin);
    pcm_->rewind(safe);
    silence_tail_ = 0;
    if (resampler_)
        resampler_->reset();
    control_.realign();
    next_due_.reset();
}

MonotonicTime PlaybackOutput::playout_end() const
{
    if (!is_ready())
        return MonotonicTime::min();
    return clock_.time_of(pcm_->written() - silence_tail_) + driver_delay_.value();
}

nanoseconds PlaybackOutput::delay() const
{
    return (follows_clock_ && !pitch_control_ ? VariableResampler::delay : 0ns) +
           driver_delay_.value();
}

} // namespace jkvm
