// SPDX-License-Identifier: LGPL-2.1-or-later
// The streaming thread of jkvmaudiosrc: pushes frames and handles the capture engine's reports.
#include "audio_src.h"

#include "capture/source_description.h"
#include "common/clocks.h"
#include "common/element_error.h"
#include "common/fields.h"
#include "common/mapped_buffer.h"
#include "common/source_state.h"
#include "core/device/device_list.h"

#define GST_CAT_DEFAULT jkvm_audio_src_debug

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Result of create() after it posted an error. With GST_FLOW_ERROR the base class would post a
// second error; EOS also lets sinks complete their files.
constexpr auto ended_by_error = GST_FLOW_EOS;

} // namespace

// --- events of the capture engine ---

CaptureEngine::Moment AudioSrc::now()
{
    const auto [running, monotonic] =
        read_together([this] { return running_now(element_); }, [] { return monotonic_now(); });
    return {running, monotonic};
}

void AudioSrc::post_device(const char *reason, const DeviceReport &report)
{
    devices_.post(reason, Fields()
                              .set("state", std::string(name_of(report.state)))
                              .set("device", report.device)
                              .set("detail", report.detail));
}

void AudioSrc::on_device_refused(const DeviceReport &report)
{
    post_device(name_of(report.trouble), report);
    GST_WARNING_OBJECT(element_, "could not switch to %s (%s): %s", report.device.c_str(),
                       name_of(report.trouble), report.detail.c_str());
}

void AudioSrc::on_device_changed(const DeviceReport &report)
{
    stats_.lock()->device = engine_->device();
    state_changed_ = true;
    if (report.state == DeviceState::open)
        return; // not known to work yet
    const bool runs = report.state == DeviceState::run;
    const bool is_released = report.state == DeviceState::released;
    post_device(runs ? "running" : is_released ? "released" : name_of(report.trouble), report);
    if (runs)
        GST_INFO_OBJECT(element_, "capturing from %s", report.device.c_str());
    else if (is_released)
        GST_INFO_OBJECT(element_, "released %s", report.device.c_str());
    else
        GST_WARNING_OBJECT(element_, "no audio from %s (%s): %s", report.device.c_str(),
                           name_of(report.trouble), report.detail.c_str());
}

void AudioSrc::on_latency_changed()
{
    const auto latency = engine_->latency();
    if (latency_.exchange(latency) == latency)
        return;
    GST_DEBUG_OBJECT(element_, "latency is %" GST_TIME_FORMAT,
                     GST_TIME_ARGS(static_cast<GstClockTime>(latency.count())));
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
}

void AudioSrc::log_loss(nanoseconds lost)
{
    constexpr auto interval = 1s;
    unlogged_loss_ += lost;
    const auto now = monotonic_now();
    if (now < next_loss_warning_)
        return;
    GST_WARNING_OBJECT(element_, "lost %" G_GINT64_FORMAT " ms of audio to overruns",
                       static_cast<gint64>(unlogged_loss_ / 1ms));
    unlogged_loss_ = 0ns;
    next_loss_warning_ = now + interval;
}

void AudioSrc::on_overrun(nanoseconds lost)
{
    xruns_.post("overrun", Fields().set("lost-time", lost));
    log_loss(lost);
}

void AudioSrc::on_ring_grown(nanoseconds buffer_time)
{
    GST_DEBUG_OBJECT(element_, "reopening the device with a ring of %" G_GINT64_FORMAT " ms",
                     static_cast<gint64>(buffer_time / 1ms));
    xruns_.post("ring-grown", Fields().set("buffer-time", buffer_time));
}

void AudioSrc::on_rate_changed(const CaptureFrameReader::RateReport &report)
{
    device_clock_->lock()->restart();
    const auto device = engine_->device();
    stats_.lock()->device = device;
    const bool is_wrong = report.measured != report.reported;
    devices_.post(
        is_wrong ? "rate-mismatch" : "running",
        Fields()
            .set("state", std::string(name_of(device.state)))
            .set("device", device.name)
            .set("detail",
                 std::string(is_wrong ? "the device runs at another rate than it reports"
                                      : "the device runs at the rate that it reports again"))
            .set("measured-rate", report.measured)
            .set("reported-rate", report.reported));
    GST_WARNING_OBJECT(element_, "%s reports %u Hz, measured %.1f Hz", device.name.c_str(),
                       report.reported, report.measured);
}

void AudioSrc::on_device_position(nanoseconds position, MonotonicTime captured)
{
    device_clock_->lock()->update(position, captured);
}

// --- frames ---

bool AudioSrc::apply_settings()
{
    coder_->set_gain(gain_);
    if (devices_changed_.exchange(false)) {
        // Not locked meanwhile: the engine's reports are posted, and on_message() locks them.
        auto devices = split_device_list(settings_.snapshot().device.device);
        engine_->set_devices(std::move(devices));
    }
    if (!codec_changed_.exchange(false))
        return true;
    const auto settings = codec_.lock()->effective();
    if (const auto applied = coder_->apply(settings); !applied) {
        post_error(element_, applied.error());
        return false;
    }
    GST_DEBUG_OBJECT(
        element_, "encoding %u bit/s, complexity %u, frames of %" G_GINT64_FORMAT " us",
        settings.bitrate, settings.complexity, static_cast<gint64>(settings.frame / 1us));
    warn_of_contradictions(settings);
    engine_->set_frame(coder_->frame_samples(), coder_->look_ahead());
    on_latency_changed();
    stats_.lock()->settings = settings;
    if (gst_pad_has_current_caps(GST_BASE_SRC_PAD(src_)) &&
        (settings.rate != stream_.rate || settings.channels != stream_.channels ||
         settings.audio_type != stream_.audio_type)) {
        // Some decoders restart at new caps. Their output still continues where the last one ended,
        // so there is no pre-skip.
        coder_->request_independent_packet();
        pre_skip_ = 0;
        set_caps();
    }
    return true;
}

GstFlowReturn AudioSrc::handle_failure(const Error &error)
{
    switch (on_device_lost_) {
    case OnDeviceLost::error:
        post_device_error(error);
        return ended_by_error;
    case OnDeviceLost::eos:
        return GST_FLOW_EOS;
    default:
        return GST_FLOW_OK;
    }
}

GstFlowReturn AudioSrc::create(GstBuffer **buffer)
{
    for (;;) {
        if (!engine_->is_started()) {
            (void)control_.take_restart(); // done here
            engine_->restart();
        }
        if (!apply_settings())
            return ended_by_error;
        apply_demand();
        push_state();
        auto event = engine_->has_released_device() ? wait_for_demand() : engine_->next(control_);
        if (const auto *frame = std::get_if<CaptureEngine::Frame>(&event)) {
            const auto flow = handle_frame(*frame, buffer);
            engine_->release();
            if (flow != GST_FLOW_CUSTOM_SUCCESS)
                return flow;
        } else if (const auto *failure = std::get_if<CaptureEngine::Failure>(&event)) {
            if (const auto flow = handle_failure(failure->error); flow != GST_FLOW_OK)
                return flow;
        } else if (control_.take_wake_up()) {
            continue;
        } else if (control_.take_restart()) {
            engine_->restart();
        } else {
            engine_->pause();
            control_.resume(); // see IpcSrc::wait_playing()
            const auto flow = interrupted_create_.wait_playing(GST_BASE_SRC(element_));
            if (flow != GST_FLOW_OK)
                return flow;
        }
    }
}

void AudioSrc::apply_demand()
{
    const auto now = monotonic_now();
    const auto activity =
        demand_.is_unheard(GST_BASE_SRC_PAD(src_), now) ? when_unheard_.load() : Activity::encode;
    const auto before = std::exchange(activity_, activity);
    if (activity == before)
        return;
    const char *meaning = "encoding: audio is in demand";
    if (activity == Activity::idle)
        meaning = "idle: no client listens";
    else if (activity == Activity::release_device)
        meaning = "releasing the device: no client listens";
    GST_INFO_OBJECT(element_, "%s", meaning);
    unheard_time_.lock()->on_changed(activity, now);
    if (activity == Activity::release_device)
        engine_->release_device();
    else if (before == Activity::release_device)
        engine_->reclaim_device();
}

void AudioSrc::push_state()
{
    const bool repeats = repeats_state_.exchange(false);
    if (!state_changed_.exchange(false) && !repeats)
        return;
    const auto state =
        describe_source(engine_->device(), settings_.lock()->device.mute, codec_.snapshot());
    if (state == pushed_state_ && !repeats)
        return;
    pushed_state_ = state;
    gst_pad_push_event(GST_BASE_SRC_PAD(src_), make_source_state(state));
}

CaptureEngine::Interrupted AudioSrc::wait_for_demand()
{
    // Without a heartbeat only a request wakes the thread.
    const auto heartbeat = omitted_.heartbeat();
    const auto omit_until_now = [this] {
        const auto end = now().running - engine_->latency();
        omitted_.extend(engine_->position().value_or(end), end, omitted_.heartbeat().value_or(0ns));
    };
    omit_until_now();
    while (!control_.sleep_until(heartbeat ? monotonic_now() + *heartbeat : MonotonicTime::max()))
        omit_until_now();
    return {};
}

GstFlowReturn AudioSrc::handle_frame(CaptureEngine::Frame frame, GstBuffer **buffer)
{
    auto &stamp = frame.stamp;
    if (frame.is_silence)
        levels_.on_no_device();
    else
        levels_.on_input(frame.samples, channels_, stamp.duration);
    if (activity_ != Activity::encode) {
        stats_.lock()->capture = engine_->counters();
        omitted_.extend(stamp.time, stamp.time + stamp.duration, stamp.duration);
        post_stats_if_due();
        return GST_FLOW_CUSTOM_SUCCESS;
    }
    if (omitted_.finish(stamp.time)) {
        stamp.discontinuity = true;
        coder_->request_independent_packet();
    }
    return code_frame(frame, buffer);
}

GstFlowReturn AudioSrc::code_frame(const CaptureEngine::Frame &frame, GstBuffer **buffer)
{
    auto packet = pool_.acquire();
    if (!packet)
        return GST_FLOW_FLUSHING;
    auto coded = coder_->code(frame.samples, frame.is_silence, frame.history,
                              MappedBuffer(packet.get(), GST_MAP_WRITE).bytes());
    if (!coded) {
        post_error(element_, coded.error());
        return ended_by_error;
    }
    update_stats(*coded);
    post_stats_if_due();
    const auto &stamp = frame.stamp;
    if (stamp.time >= 0ns)
        gst_object_sync_values(GST_OBJECT(element_), static_cast<GstClockTime>(stamp.time.count()));
    GST_LOG_OBJECT(element_, "%" GST_STIME_FORMAT ", %" G_GSIZE_FORMAT " bytes%s",
                   GST_STIME_ARGS(stamp.time.count()), coded->size,
                   frame.is_silence ? " of silence" : "");
    if (stamp.time < 0ns)
        return GST_FLOW_CUSTOM_SUCCESS;
    set_used_size(packet.get(), coded->size);
    GST_BUFFER_PTS(packet.get()) = static_cast<GstClockTime>(stamp.time.count());
    GST_BUFFER_DURATION(packet.get()) = static_cast<GstClockTime>(stamp.duration.count());
    if (stamp.discontinuity) {
        GST_BUFFER_FLAG_SET(packet.get(), GST_BUFFER_FLAG_DISCONT);
        GST_BUFFER_FLAG_SET(packet.get(), GST_BUFFER_FLAG_RESYNC);
    }
    *buffer = packet.release();
    return GST_FLOW_OK;
}

void AudioSrc::update_stats(const FrameCoder::Coded &coded)
{
    auto stats = stats_.lock();
    stats->capture = engine_->counters();
    stats->coding.add(coded);
}

void AudioSrc::post_stats_if_due()
{
    const auto interval = settings_.lock()->device.report_interval;
    if (report_.is_due(interval, monotonic_now()))
        report_.post(this->stats());
}

} // namespace jkvm
