// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/capture_engine.h"

#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A device that was started at the beginning delivers its first frame within this time.
constexpr nanoseconds first_frame_time = 100ms;
// A running device delivers a frame within this time after the frame is complete.
constexpr nanoseconds hand_over_time = 5ms;

} // namespace

CaptureEngine::CaptureEngine(Config config, Host &host)
    : config_(std::move(config)), host_(host), session_(config_.devices, *this),
      ring_(config_.buffer_time), zeros_(CaptureFrameReader::max_frame * config_.channels)
{}

nanoseconds CaptureEngine::frame_time() const
{
    return nanoseconds(std::chrono::seconds(frame_samples_)) / CaptureFrameReader::rate;
}

nanoseconds CaptureEngine::latency() const
{
    return frame_time() + look_ahead_ + (reader_ ? reader_->delay() : 0ns);
}

void CaptureEngine::set_frame(std::size_t samples, nanoseconds look_ahead)
{
    const auto change = std::chrono::abs(look_ahead - look_ahead_) * CaptureFrameReader::rate / 1s;
    const bool is_shorter = look_ahead < look_ahead_;
    frame_samples_ = samples;
    look_ahead_ = look_ahead;
    if (switch_)
        switch_->reader().set_frame(samples);
    if (!reader_)
        return;
    reader_->set_frame(samples);
    if (!is_running())
        return; // align() places the first frame
    if (is_shorter)
        reader_->unread(static_cast<std::size_t>(change));
    else
        skip_ = static_cast<std::size_t>(change);
}

CaptureEngine::Device CaptureEngine::device() const
{
    Device device{.state = supervisor().state(), .trouble = supervisor().trouble()};
    if (reader_) {
        device.name = session_.device();
        device.format = reader_->format();
        device.is_converted = reader_->is_converted();
    }
    return device;
}

void CaptureEngine::restart()
{
    if (switch_)
        finish_switch(monotonic_now());
    timeline_.reset();
    health_.restart();
    begin_ = std::max(host_.now().running, 0ns);
    holds_frame_ = false;
    if (progress_ == Progress::interrupted)
        progress_ = Progress::steady;
    session_.start();
}

void CaptureEngine::pause()
{
    if (switch_)
        finish_switch(monotonic_now());
    holds_frame_ = false;
    session_.pause();
}

void CaptureEngine::release_device()
{
    holds_frame_ = false;
    session_.release();
}

void CaptureEngine::reclaim_device()
{
    begin_ = std::max(host_.now().running, 0ns);
    timeline_.skip_to(begin_ - frame_time() - look_ahead_);
    session_.reclaim(monotonic_now());
}

// --- the device ---

Result<CaptureFrameReader> CaptureEngine::open_reader(const std::string &pcm_name) const
{
    // A whole number of frames, so that none wraps around the end of the ring.
    const auto frames =
        std::max<std::int64_t>(2, (ring_.time() + frame_time() - 1ns) / frame_time());
    auto reader = CaptureFrameReader::open({.device = pcm_name,
                                            .channels = config_.channels,
                                            .period = config_.period,
                                            .buffer_time = frames * frame_time()});
    if (reader)
        reader->set_frame(frame_samples_);
    return reader;
}

Status CaptureEngine::open_stream(const std::string &pcm_name)
{
    auto reader = open_reader(pcm_name);
    if (!reader)
        return reader.error();
    reader_ = std::move(*reader);
    return Done{};
}

void CaptureEngine::close_stream()
{
    switch_.reset(); // the session opens the device again
    reader_.reset();
}

void CaptureEngine::on_stream_opened()
{
    timeline_.restart_device();
    health_.restart();
    progress_ = Progress::none;
    host_.on_latency_changed();
}

void CaptureEngine::on_rate_changed(const CaptureFrameReader::RateReport &report)
{
    timeline_.on_rate_changed();
    health_.restart();
    host_.on_rate_changed(report);
    host_.on_latency_changed();
}

void CaptureEngine::on_overrun()
{
    const auto now = monotonic_now();
    if (!is_running()) {
        // Some drivers report an overrun after a resume. No unread samples are lost.
        timeline_.restart_device();
        session_.on_restarted(now);
        return;
    }
    progress_ = Progress::interrupted;
    timeline_.expect_gap();
    timeline_.restart_device();
    health_.restart();
    session_.on_restarted(now);
    ++counters_.overruns;
    if (!ring_.on_overrun(now))
        return;
    // Reopening the device at this moment loses no further samples.
    host_.on_ring_grown(ring_.time());
    session_.reopen(now);
    progress_ = Progress::interrupted;
}

// --- frames ---

nanoseconds CaptureEngine::silence_due() const
{
    const auto complete = frame_time() + look_ahead_;
    if (!supervisor().is_open())
        return timeline_.next().value_or(begin_) + complete;
    // A device that has just been opened is given time to start.
    if (!timeline_.next())
        return begin_ + first_frame_time + complete;
    // The first frame of a device after silence is complete a little later than silence would be
    // due. Silence must not take the place of that frame: it would take that of every later one.
    const bool has_delivered = progress_ == Progress::aligning || progress_ == Progress::steady;
    return *timeline_.next() + complete + (has_delivered ? reader_->delay() + hand_over_time : 0ns);
}

CapturePcm::Outcome CaptureEngine::wait(const WaitControl &control, MonotonicTime deadline)
{
    if (supervisor().is_open())
        return reader_->wait(control, deadline);
    return control.sleep_until(deadline) ? CapturePcm::Outcome::interrupted
                                         : CapturePcm::Outcome::timed_out;
}

CaptureEngine::Frame CaptureEngine::make_silence()
{
    if (progress_ == Progress::interrupted)
        progress_ = Progress::aligning; // silence fills the gap
    ++counters_.silent_frames;
    return {std::span(zeros_).first(frame_samples_ * config_.channels),
            {},
            timeline_.place_silence(begin_, frame_time()),
            true};
}

CaptureEngine::Event CaptureEngine::next(const WaitControl &control)
{
    for (;;) {
        if (session_.has_failure())
            return Failure{session_.take_failure()};
        if (switch_)
            advance_switch(control);
        // While the device runs, the pipeline's clock is not needed before there is a frame.
        auto silence = MonotonicTime::max();
        bool is_silence_due = false;
        if (!is_running()) {
            const auto now = host_.now();
            const auto left = silence_due() - now.running;
            silence = now.monotonic + left;
            is_silence_due = left <= 0ns;
            // A consumer slower than real time must not make the silence fall behind the clock.
            if (-left > ring_.time())
                timeline_.skip_to(now.running - frame_time() - look_ahead_);
        }
        // Opening a device takes a while, so silence is output first. But samples of an open device
        // come before silence, which would otherwise be due each time with a slow consumer.
        if (is_silence_due && !supervisor().is_open())
            return make_silence();
        if (session_.retry(monotonic_now()))
            continue;
        const auto outcome = wait(control, std::min(supervisor().next_event(), silence));
        if (outcome == CapturePcm::Outcome::interrupted)
            return Interrupted{};
        if (auto event = handle(outcome))
            return std::move(*event);
        if (outcome == CapturePcm::Outcome::timed_out && is_silence_due)
            return make_silence();
    }
}

std::optional<CaptureEngine::Event> CaptureEngine::handle(CapturePcm::Outcome outcome)
{
    switch (outcome) {
    case CapturePcm::Outcome::timed_out:
        // Checked only after the wait: after a late wake-up there may be samples in the ring.
        if (supervisor().is_frozen(monotonic_now()))
            session_.lose(DeviceTrouble::frozen,
                          "the device delivers neither samples nor an error");
        break;
    case CapturePcm::Outcome::overrun:
        on_overrun();
        break;
    case CapturePcm::Outcome::suspended:
        session_.suspend();
        break;
    case CapturePcm::Outcome::failed:
        session_.lose(Error(reader_->error())); // a copy: the reader is closed
        break;
    default:
        return take_frame();
    }
    return std::nullopt;
}

bool CaptureEngine::check_health(nanoseconds position, nanoseconds captured)
{
    const auto trouble = health_.check(position, captured, frame_time(), reader_->frame());
    if (trouble == DeviceTrouble::none)
        return true;
    session_.lose(trouble, trouble == DeviceTrouble::stuck
                               ? "every sample has the same value"
                               : "samples arrive faster than real time");
    return false;
}

bool CaptureEngine::needs_alignment(nanoseconds captured) const
{
    // A frame that is late by less than the error of a measurement follows the last one; silence
    // before it would be a gap.
    return timeline_.next() && progress_ != Progress::interrupted &&
           (captured > *timeline_.next() + CaptureTimeline::tolerance ||
            (*timeline_.next() - captured) * CaptureFrameReader::rate / 1s > 0);
}

std::optional<CaptureEngine::Event> CaptureEngine::align(nanoseconds captured)
{
    if (captured > *timeline_.next())
        return make_silence();
    const auto overlap = (*timeline_.next() - captured) * CaptureFrameReader::rate / 1s;
    reader_->drop(std::min(static_cast<std::size_t>(overlap), frame_samples_));
    return std::nullopt;
}

std::optional<CaptureEngine::Event> CaptureEngine::take_frame()
{
    if (progress_ == Progress::none)
        progress_ = Progress::aligning;
    if (const auto report = reader_->take_rate_report())
        on_rate_changed(*report);
    const auto now = host_.now();
    const auto position = reader_->position();
    const auto measured = now.running - (now.monotonic - reader_->captured());
    if (!check_health(position, measured))
        return std::nullopt;
    const auto captured = measured - look_ahead_;
    const bool was_running = is_running();
    const auto trouble = supervisor().trouble();
    if (!was_running && !health_.is_cleared_of(trouble)) {
        reader_->release();
        session_.on_restarted(now.monotonic);
        return std::nullopt;
    }
    if (!was_running && needs_alignment(captured))
        return align(captured);
    if (const auto samples = std::exchange(skip_, 0); samples > 0 && was_running) {
        reader_->drop(std::min(samples, frame_samples_));
        return std::nullopt;
    }
    host_.on_device_position(position, reader_->captured());
    const bool is_first = !timeline_.next();
    const auto stamp = timeline_.place(position, captured, frame_time());
    count(stamp, is_first);
    if (session_.on_frame(frame_time(), now.monotonic)) {
        if (trouble != DeviceTrouble::none)
            ++counters_.recoveries.at(static_cast<std::size_t>(trouble));
        session_.report();
    }
    holds_frame_ = true;
    return Frame{reader_->frame(), reader_->history(), stamp, false};
}

void CaptureEngine::count(const CaptureTimeline::Stamp &stamp, bool is_first)
{
    const bool has_lost = std::exchange(progress_, Progress::steady) == Progress::interrupted;
    counters_.drift_ppm = timeline_.drift_ppm();
    counters_.uses_driver_timestamps = reader_->uses_driver_timestamps();
    counters_.lost_time += has_lost ? stamp.missing : 0ns;
    counters_.resyncs += stamp.discontinuity && !has_lost && !is_first ? 1 : 0;
    counters_.backlog = reader_->backlog();
    counters_.device_rate = reader_->device_rate();
    if (has_lost)
        host_.on_overrun(stamp.missing);
}

void CaptureEngine::release()
{
    if (std::exchange(holds_frame_, false) && reader_)
        reader_->release();
}

} // namespace jkvm
