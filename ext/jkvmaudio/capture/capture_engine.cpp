// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/capture_engine.h"

#include "alsa/sound_cards.h"

#include <cerrno>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Within that a device that runs is looked at once its frame is complete.
constexpr nanoseconds hand_over_time = 5ms;

DeviceTrouble trouble_of(const Error &error)
{
    switch (error.kind) {
    case ErrorKind::device_busy:
        return DeviceTrouble::busy;
    case ErrorKind::device_forbidden:
        return DeviceTrouble::forbidden;
    case ErrorKind::device_unsupported:
        return DeviceTrouble::unsupported;
    case ErrorKind::device_lost:
        break;
    default:
        return DeviceTrouble::missing;
    }
    switch (error.errno_value) {
    case ENODEV:
        return DeviceTrouble::unplugged;
    case EBADFD:
        return DeviceTrouble::rate_changed;
    default:
        return DeviceTrouble::io_error;
    }
}

} // namespace

CaptureEngine::CaptureEngine(Config config, Host &host)
    : config_(std::move(config)), host_(host),
      supervisor_(static_cast<std::uint32_t>(monotonic_now().time_since_epoch().count())),
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
    if (!reader_)
        return;
    reader_->set_frame(samples);
    if (supervisor_.state() != DeviceState::run)
        return; // a device that begins is aligned
    if (is_shorter)
        reader_->unread(static_cast<std::size_t>(change));
    else
        leave_out_ = static_cast<std::size_t>(change);
}

// --- the device
// -----------------------------------------------------------------------------------

bool CaptureEngine::open()
{
    return open_device(monotonic_now());
}

bool CaptureEngine::open_device(MonotonicTime now)
{
    const auto cards = list_sound_cards();
    // A whole number of frames, so that none wraps around the end of the ring.
    const auto frames =
        std::max<std::int64_t>(2, (ring_.time() + frame_time() - 1ns) / frame_time());
    std::optional<Error> first;
    for (const auto &device : config_.devices) {
        auto reader = CaptureFrameReader::open({.device = pcm_name(device, cards),
                                                .channels = config_.channels,
                                                .period = config_.period,
                                                .buffer_time = frames * frame_time()});
        if (reader) {
            reader_ = std::move(*reader);
            reader_->set_frame(frame_samples_);
            device_ = device;
            return start_device(now);
        }
        if (!first)
            first = reader.error();
    }
    error_ = first.value_or(Error{ErrorKind::device_missing, {}, "no device is named"});
    const auto trouble = trouble_of(error_);
    const bool is_news =
        supervisor_.state() != DeviceState::lost && supervisor_.trouble() != trouble;
    supervisor_.failed(trouble, now);
    has_trouble_ = true;
    if (is_news)
        report();
    return false;
}

void CaptureEngine::open_again(MonotonicTime now)
{
    if (!is_suspended_) {
        open_device(now);
    } else if (const auto resumed = reader_->resume(); resumed == CapturePcm::Resumed::running) {
        is_suspended_ = false;
        has_opened(now);
    } else if (resumed == CapturePcm::Resumed::not_yet) {
        supervisor_.failed(DeviceTrouble::suspended, now);
        has_trouble_ = true;
    } else {
        lose(DeviceTrouble::suspended, "it does not resume");
    }
}

bool CaptureEngine::start_device(MonotonicTime now)
{
    // Before the first restart() nobody would read what it captures.
    if (is_started_) {
        if (const auto started = reader_->start(); !started) {
            lose(trouble_of(started.error()), started.error());
            return false;
        }
    }
    has_opened(now);
    return true;
}

void CaptureEngine::has_opened(MonotonicTime now)
{
    supervisor_.opened(now);
    timeline_.restart_device();
    watch_.restart();
    has_overrun_ = false;
    has_begun_ = false;
    host_.latency_changed();
    report();
}

CaptureEngine::Device CaptureEngine::device() const
{
    Device device{.state = supervisor_.state(), .trouble = supervisor_.trouble()};
    if (reader_) {
        device.name = device_;
        device.format = reader_->format();
        device.is_converted = reader_->is_converted();
    }
    return device;
}

void CaptureEngine::report()
{
    const bool is_well = supervisor_.is_open();
    host_.device_changed({.state = supervisor_.state(),
                          .trouble = supervisor_.trouble(),
                          .device = is_well ? device_ : error_.subject,
                          .detail = is_well ? std::string() : error_.detail});
}

void CaptureEngine::lose(DeviceTrouble trouble, const char *why)
{
    lose(trouble, Error{ErrorKind::device_lost, device_, why});
}

void CaptureEngine::lose(DeviceTrouble trouble, const Error &error)
{
    const bool had_sound = supervisor_.state() == DeviceState::run;
    const bool is_news = had_sound || supervisor_.trouble() != trouble;
    error_ = error;
    frame_ = {};
    is_suspended_ = false;
    reader_.reset();
    supervisor_.failed(trouble, monotonic_now());
    has_trouble_ = true;
    if (is_news)
        report();
}

void CaptureEngine::has_suspended()
{
    frame_ = {};
    is_suspended_ = true;
    error_ = {ErrorKind::device_lost, device_, "the machine was suspended"};
    supervisor_.failed(DeviceTrouble::suspended, monotonic_now());
    report();
}

void CaptureEngine::has_overrun()
{
    const auto now = monotonic_now();
    frame_ = {};
    has_overrun_ = true;
    timeline_.expect_hole();
    timeline_.restart_device();
    watch_.restart();
    supervisor_.restarted(now);
    ++counters_.overruns;
    if (!ring_.overrun(now))
        return;
    // Sound is lost anyhow at this moment.
    reader_.reset();
    host_.ring_has_grown(ring_.time());
    open_device(now);
    has_overrun_ = true;
}

void CaptureEngine::restart()
{
    timeline_.reset();
    watch_.restart();
    begin_ = std::max(host_.now().running, 0ns);
    frame_ = {};
    is_suspended_ = false;
    is_started_ = true;
    has_overrun_ = false;
    if (!reader_)
        return;
    reader_->stop();
    if (const auto started = reader_->start(); !started)
        lose(trouble_of(started.error()), started.error());
    else
        supervisor_.opened(monotonic_now());
}

void CaptureEngine::pause()
{
    is_started_ = false;
    frame_ = {};
    if (reader_)
        reader_->stop();
}

// --- frames
// ---------------------------------------------------------------------------------------

nanoseconds CaptureEngine::silence_due() const
{
    const auto complete = frame_time() + look_ahead_;
    if (!supervisor_.is_open())
        return timeline_.next().value_or(begin_) + complete;
    // A device that has just been opened gets the time to begin.
    if (!timeline_.next())
        return begin_ + DeviceSupervisor::patience + complete;
    // One that begins behind silence hands over its frame a little later than silence would be due,
    // which must not take the frame's place: it would again, with the next one.
    const auto more = has_begun_ ? reader_->delay() + hand_over_time : 0ns;
    return *timeline_.next() + complete + more;
}

CapturePcm::Outcome CaptureEngine::wait(const WaitControl &control, MonotonicTime deadline)
{
    if (supervisor_.is_open())
        return reader_->wait(control, deadline);
    return control.sleep_until(deadline) ? CapturePcm::Outcome::interrupted : CapturePcm::Outcome::timed_out;
}

CaptureEngine::Outcome CaptureEngine::give_silence()
{
    frame_ = std::span(zeros_).first(frame_samples_ * config_.channels);
    is_silence_ = true;
    has_overrun_ = false; // silence fills the hole
    stamp_ = timeline_.place_silence(begin_, frame_time());
    ++counters_.silent_frames;
    return Outcome::frame;
}

CaptureEngine::Outcome CaptureEngine::next(const WaitControl &control)
{
    for (;;) {
        if (std::exchange(has_trouble_, false))
            return Outcome::trouble;
        // With sound, the pipeline's time is of no interest before there is a frame.
        auto silence = MonotonicTime::max();
        if (supervisor_.state() != DeviceState::run) {
            const auto now = host_.now();
            const auto left = silence_due() - now.running;
            if (left <= 0ns) // before a device is opened, which takes a while
                return give_silence();
            silence = now.monotonic + left;
        }
        if (const auto now = monotonic_now(); supervisor_.wants_open(now)) {
            open_again(now);
            continue;
        }
        const auto deadline = std::min(supervisor_.next_event(), silence);
        switch (wait(control, deadline)) {
        case CapturePcm::Outcome::timed_out:
            // Not before: we may have been held up, and sound waits in the ring.
            if (supervisor_.is_frozen(monotonic_now()))
                lose(DeviceTrouble::frozen, "it gives neither sound nor an error");
            break;
        case CapturePcm::Outcome::interrupted:
            return Outcome::interrupted;
        case CapturePcm::Outcome::overrun:
            has_overrun();
            break;
        case CapturePcm::Outcome::suspended:
            has_suspended();
            break;
        case CapturePcm::Outcome::failed:
            lose(trouble_of(reader_->error()), reader_->error());
            break;
        case CapturePcm::Outcome::ready:
            has_begun_ = true;
            if (const auto outcome = take_frame())
                return *outcome;
        }
    }
}

bool CaptureEngine::is_aligned(nanoseconds captured)
{
    const auto samples = (*timeline_.next() - captured) * CaptureFrameReader::rate / 1s;
    if (samples <= 0)
        return true;
    // Silence stands there already.
    reader_->drop(std::min(static_cast<std::size_t>(samples), frame_samples_));
    return false;
}

std::optional<CaptureEngine::Outcome> CaptureEngine::take_frame()
{
    const auto now = host_.now();
    const auto position = reader_->position();
    const auto measured = now.running - (now.monotonic - reader_->captured());
    const auto trouble = watch_.check(position, measured, frame_time(), reader_->frame());
    if (trouble != DeviceTrouble::none) {
        lose(trouble, trouble == DeviceTrouble::stuck ? "every sample is the same"
                                                      : "it gives sound faster than time passes");
        return std::nullopt;
    }
    const auto captured = measured - look_ahead_;
    const bool is_first = supervisor_.state() != DeviceState::run;
    if (is_first && !watch_.is_cleared_of(supervisor_.trouble())) {
        reader_->release();
        supervisor_.restarted(now.monotonic);
        return std::nullopt;
    }
    if (is_first && timeline_.next() && !has_overrun_) {
        // What is between the silence so far and this frame is silence too.
        if (captured > *timeline_.next())
            return give_silence();
        if (!is_aligned(captured))
            return std::nullopt;
    }
    if (const auto samples = std::exchange(leave_out_, 0); samples > 0 && !is_first) {
        reader_->drop(std::min(samples, frame_samples_));
        return std::nullopt;
    }
    host_.device_counts(position, reader_->captured());
    const auto before = supervisor_.trouble();
    supervisor_.has_sound(frame_time(), now.monotonic);
    const bool is_begin = !timeline_.next();
    stamp_ = timeline_.place(position, captured, frame_time());
    count(stamp_, is_begin);
    if (is_first) {
        if (before != DeviceTrouble::none)
            ++counters_.recoveries.at(static_cast<std::size_t>(before));
        report();
    }
    frame_ = reader_->frame();
    is_silence_ = false;
    return Outcome::frame;
}

void CaptureEngine::count(const CaptureTimeline::Stamp &stamp, bool is_begin)
{
    const bool has_overrun = std::exchange(has_overrun_, false);
    counters_.drift_ppm = timeline_.drift_ppm();
    counters_.uses_driver_timestamps = reader_->uses_driver_timestamps();
    counters_.lost_time += has_overrun ? stamp.hole : 0ns;
    counters_.resyncs += stamp.discontinuity && !has_overrun && !is_begin ? 1 : 0;
    counters_.backlog = reader_->backlog();
    if (has_overrun)
        host_.has_overrun(stamp.hole);
}

std::span<const std::int16_t> CaptureEngine::history() const
{
    return is_silence_ || !reader_ ? std::span<const std::int16_t>{} : reader_->history();
}

void CaptureEngine::release()
{
    if (!is_silence_ && reader_ && !frame_.empty())
        reader_->release();
    frame_ = {};
}

} // namespace jkvm
