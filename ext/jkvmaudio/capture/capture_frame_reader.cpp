// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/capture_frame_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A resampler may output a few samples more than requested.
constexpr std::size_t headroom = 64;

} // namespace

CaptureFrameReader::CaptureFrameReader(CapturePcm pcm, std::optional<SampleConverter> converter,
                                       unsigned channels)
    : pcm_(std::move(pcm)), converter_(std::move(converter)), channels_(channels),
      staging_((max_frame + max_unread + headroom) * channels),
      history_((history_samples + max_unread) * channels)
{}

Result<CaptureFrameReader> CaptureFrameReader::open(const AlsaDevice::Config &config)
{
    auto pcm = CapturePcm::open(config);
    if (!pcm)
        return pcm.error();
    std::optional<SampleConverter> converter;
    if (SampleConverter::is_needed(pcm->format(), config.channels)) {
        auto created = SampleConverter::create(config.device, pcm->format(), config.channels);
        if (!created)
            return created.error();
        converter = std::move(*created);
    }
    return CaptureFrameReader(std::move(*pcm), std::move(converter), config.channels);
}

void CaptureFrameReader::restart_count()
{
    position_ = consumed_ = 0;
    position_base_ = consumed_base_ = 0;
    read_ahead_base_ = 0ns;
    staged_ = remembered_ = 0;
    frame_ = {};
    if (converter_)
        converter_->reset();
}

Status CaptureFrameReader::start()
{
    restart_count();
    return pcm_.start();
}

AlsaDevice::Resumed CaptureFrameReader::resume()
{
    restart_count();
    return pcm_.resume();
}

void CaptureFrameReader::set_frame(std::size_t samples)
{
    if (samples == frame_size_)
        return;
    frame_size_ = samples;
    frame_ = {};
    set_wake_threshold();
}

void CaptureFrameReader::set_wake_threshold()
{
    // The device wakes the thread once there are certainly enough samples; CapturePcm::wait() looks
    // earlier by itself. If the device refuses the threshold, it wakes the thread more often.
    (void)pcm_.set_wake_threshold(frame_size_ * pcm_.format().rate / rate +
                                  (converter_ ? headroom : 0));
}

CapturePcm::Outcome CaptureFrameReader::wait(const WaitControl &control, MonotonicTime deadline)
{
    while (frame_.empty()) {
        // Part of the frame may have been converted already. A resampler may output a sample less
        // than expected; then there is another round.
        const auto missing = frame_size_ - std::min(staged_, frame_size_);
        const auto needed = converter_ ? converter_->input_for(missing) : missing;
        const auto outcome = pcm_.wait(control, needed, deadline);
        if (outcome == CapturePcm::Outcome::overrun)
            restart_count();
        if (outcome != CapturePcm::Outcome::ready)
            return outcome;
        if (const auto event = pcm_.take_rate_event(); event != RateCheck::Event::none) {
            on_rate_event(event);
            continue;
        }
        // Samples read but not output yet are older than those that the device holds.
        captured_ = pcm_.captured() - read_ahead();
        // A failure to read is reported by the next wait().
        if (!take_in_place())
            take_staged();
    }
    return CapturePcm::Outcome::ready;
}

void CaptureFrameReader::on_rate_event(RateCheck::Event event)
{
    const auto measured = pcm_.measured_rate();
    // Close to 48 kHz the timeline's slewing replaces the conversion.
    const bool is_usual = std::abs(measured / rate - 1) < RateCheck::restored_threshold;
    set_device_rate(is_usual ? rate : measured);
    if (event != RateCheck::Event::refined)
        rate_report_ = {measured, format().rate};
}

void CaptureFrameReader::set_device_rate(double device_rate)
{
    read_ahead_base_ = read_ahead();
    position_base_ = position_;
    consumed_base_ = consumed_;
    pcm_.set_rate(device_rate);
    auto from = format();
    from.rate = static_cast<unsigned>(std::lround(device_rate));
    if (!SampleConverter::is_needed(from, channels_)) {
        converter_.reset();
    } else if (converter_ && converter_->is_adjustable()) {
        converter_->set_input_rate(from.rate);
    } else {
        auto created = SampleConverter::create({}, from, channels_, true);
        if (created)
            converter_ = std::move(*created);
    }
    set_wake_threshold();
}

bool CaptureFrameReader::take_in_place()
{
    if (converter_ || staged_ > 0)
        return false;
    const auto bytes = pcm_.peek(frame_size_);
    if (bytes.size() < frame_size_ * pcm_.bytes_per_sample())
        return false;
    frame_ = {reinterpret_cast<const std::int16_t *>(bytes.data()), frame_size_ * channels_};
    is_in_place_ = true;
    return true;
}

void CaptureFrameReader::take_staged()
{
    while (staged_ < frame_size_) {
        const auto missing = frame_size_ - staged_;
        const auto bytes = pcm_.peek(converter_ ? converter_->input_for(missing) : missing);
        const auto count = bytes.size() / pcm_.bytes_per_sample();
        if (count == 0)
            return;
        const auto room = std::span(staging_).subspan(staged_ * channels_);
        if (converter_) {
            staged_ += converter_->convert(bytes, room);
        } else {
            std::memcpy(room.data(), bytes.data(), bytes.size());
            staged_ += count;
        }
        pcm_.commit(count);
        consumed_ += count;
    }
    frame_ = std::span(staging_).first(frame_size_ * channels_);
    is_in_place_ = false;
}

void CaptureFrameReader::remember(std::span<const std::int16_t> samples)
{
    const auto added = std::min(samples.size(), history_.size());
    const auto kept = history_.size() - added;
    // Once per frame: memmove and memcpy, because libstdc++'s ranges copy element by element.
    std::memmove(history_.data(), history_.data() + added, kept * sizeof(std::int16_t));
    std::memcpy(history_.data() + kept, samples.last(added).data(), added * sizeof(std::int16_t));
    remembered_ = std::min(remembered_ + added / channels_, history_.size() / channels_);
}

std::span<const std::int16_t> CaptureFrameReader::history() const
{
    if (remembered_ < history_samples)
        return {};
    return std::span(history_).last(history_samples * channels_);
}

void CaptureFrameReader::unread(std::size_t samples)
{
    const auto count = std::min(samples, remembered_);
    const auto size = static_cast<std::ptrdiff_t>(count * channels_);
    std::copy_backward(staging_.begin(),
                       staging_.begin() + static_cast<std::ptrdiff_t>(staged_ * channels_),
                       staging_.begin() + static_cast<std::ptrdiff_t>(staged_ * channels_) + size);
    std::copy(history_.end() - size, history_.end(), staging_.begin());
    std::copy_backward(history_.begin(), history_.end() - size, history_.end());
    remembered_ -= count;
    staged_ += count;
    position_ -= count;
    frame_ = {};
}

void CaptureFrameReader::drop(std::size_t samples)
{
    remember(frame_.first(samples * channels_));
    if (is_in_place_) {
        pcm_.commit(samples);
        consumed_ += samples;
    } else {
        staged_ -= samples;
        std::copy_n(staging_.begin() + static_cast<std::ptrdiff_t>(samples * channels_),
                    staged_ * channels_, staging_.begin());
    }
    position_ += samples;
    frame_ = {};
}

nanoseconds CaptureFrameReader::delay() const
{
    const auto &format = pcm_.format();
    // A device that counts whole periods reports the end of a frame at the end of the period.
    const auto period = static_cast<std::size_t>((format.period * rate + 500ms) / 1s);
    const auto rest =
        format.is_coarse && period > 0 ? to_time(period - std::gcd(frame_size_, period)) : 0ns;
    return rest + (converter_ ? converter_->delay() : 0ns);
}

} // namespace jkvm
