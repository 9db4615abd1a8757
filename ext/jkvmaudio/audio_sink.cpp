// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_sink.h"

#include "common/clocks.h"
#include "common/element_error.h"
#include "common/mapped_buffer.h"
#include "core/device/device_list.h"

#include <algorithm>

#define GST_CAT_DEFAULT jkvm_audio_sink_debug

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Latency of the resampler and of waking the device's thread.
constexpr nanoseconds processing_time = 1ms;

constexpr GstClockTime to_clock_time(nanoseconds time)
{
    return static_cast<GstClockTime>(time.count());
}

ErrorKind kind_of(DeviceTrouble trouble)
{
    switch (trouble) {
    case DeviceTrouble::missing:
        return ErrorKind::device_missing;
    case DeviceTrouble::busy:
        return ErrorKind::device_busy;
    case DeviceTrouble::forbidden:
        return ErrorKind::device_forbidden;
    case DeviceTrouble::unsupported:
        return ErrorKind::device_unsupported;
    default:
        return ErrorKind::device_lost;
    }
}

} // namespace

AudioSink::AudioSink(GstJkvmAudioSink *element)
    : element_(GST_ELEMENT(element)), sink_(GST_BASE_SINK(element)),
      devices_(element_, "jkvm-device"), report_(element_, GST_CAT_DEFAULT)
{
    gst_base_sink_set_last_sample_enabled(sink_, FALSE);
    gst_base_sink_set_processing_deadline(sink_, 0);
    gst_base_sink_set_render_delay(sink_, to_clock_time(RingTarget::initial + processing_time));
}

// --- properties ---

PlaybackStats AudioSink::collect_stats() const
{
    const auto playback = playback_.lock();
    if (!*playback)
        return last_stats_.snapshot();
    return {(*playback)->snapshot(), (*playback)->scheduling()};
}

gint64 AudioSink::actual_time(nanoseconds AlsaDevice::Format::*time) const
{
    return (collect_stats().engine.format.*time) / 1us;
}

GstStructure *AudioSink::stats() const
{
    return make_structure(collect_stats());
}

const PropertyTable<AudioSink> &AudioSink::live_properties()
{
    constexpr Range<gint64> any_time{0, G_MAXINT64};
    static const PropertyTable<AudioSink> table{
        computed<AudioSink>(
            "actual-buffer-time", "Actual buffer time",
            "Size of the ring that the device granted (us); 0 while no device is open", any_time,
            [](const AudioSink &sink) {
                return sink.actual_time(&AlsaDevice::Format::buffer_time);
            }),
        computed<AudioSink>(
            "actual-latency-time", "Actual latency time",
            "Period that the device granted (us); 0 while no device is open", any_time,
            [](const AudioSink &sink) { return sink.actual_time(&AlsaDevice::Format::period); }),
        computed<AudioSink>("stats", "Statistics", "Counters, and times in nanoseconds", AnyValue{},
                            &AudioSink::stats),
    };
    return table;
}

void AudioSink::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    auto settings = settings_.lock();
    if (!playback_properties().set(*settings, value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    gain_ = settings->mute ? 0 : settings->volume;
}

void AudioSink::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (!live_properties().get(*this, value, spec) &&
        !playback_properties().get(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

// --- states ---

bool AudioSink::open()
{
    const auto settings = settings_.snapshot();
    on_device_lost_ = settings.on_device_lost;
    failure_.lock()->reset();
    is_ended_ = false;
    format_.reset();
    end_ = GST_CLOCK_TIME_NONE;
    auto playback = std::make_unique<PlaybackThread>(
        PlaybackThread::Config{.engine = {.devices = split_device_list(settings.device),
                                          .period = settings.latency_time,
                                          .buffer_time = settings.buffer_time},
                               .priority = settings.priority},
        *this);
    thread_ = playback.get();
    *playback_.lock() = std::move(playback);
    return true;
}

void AudioSink::close()
{
    *last_stats_.lock() = collect_stats();
    // Its destructor waits for the thread, which may be posting a message.
    std::unique_ptr<PlaybackThread> ending;
    std::swap(ending, *playback_.lock());
    thread_ = nullptr;
}

void AudioSink::unlock()
{
    control_.interrupt();
    if (thread_ != nullptr)
        thread_->interrupt(true);
}

void AudioSink::unlock_stop()
{
    control_.resume();
    if (thread_ != nullptr)
        thread_->interrupt(false);
}

void AudioSink::flush()
{
    end_ = GST_CLOCK_TIME_NONE;
    if (thread_ != nullptr)
        thread_->flush();
}

bool AudioSink::set_caps(const GstCaps *caps)
{
    const auto *structure = gst_caps_get_structure(caps, 0);
    PlaybackFormat format;
    if (gst_structure_has_name(structure, "audio/x-raw"))
        format.coding = g_str_equal(gst_structure_get_string(structure, "format"), "F32LE")
                            ? PlaybackFormat::Coding::f32
                            : PlaybackFormat::Coding::s16;
    gint channels = 2;
    gst_structure_get_int(structure, "channels", &channels);
    format.channels = channels == 1 ? 1 : 2;
    format_ = format;
    return true;
}

// --- events of the playback thread ---

void AudioSink::on_device_changed(const DeviceReport &report)
{
    if (report.state == DeviceState::open)
        return; // not known to work yet
    const bool runs = report.state == DeviceState::run;
    if (!runs && on_device_lost_ != OnPlaybackLost::discard)
        *failure_.lock() = Error{kind_of(report.trouble), report.device, report.detail};
    const char *reason = runs                                   ? "running"
                         : report.state == DeviceState::blocked ? "blocked"
                                                                : name_of(report.trouble);
    devices_.post(reason, Fields()
                              .set("state", std::string(name_of(report.state)))
                              .set("device", report.device)
                              .set("detail", report.detail));
    if (runs)
        GST_INFO_OBJECT(element_, "playing on %s", report.device.c_str());
    else
        GST_WARNING_OBJECT(element_, "%s does not play (%s): %s", report.device.c_str(), reason,
                           report.detail.c_str());
}

void AudioSink::on_latency_changed(nanoseconds latency)
{
    latency += processing_time;
    GST_DEBUG_OBJECT(element_, "latency is %" GST_TIME_FORMAT,
                     GST_TIME_ARGS(to_clock_time(latency)));
    // Posts the message LATENCY if the value differs.
    gst_base_sink_set_render_delay(sink_, to_clock_time(latency));
}

GstFlowReturn AudioSink::check_device()
{
    if (is_ended_)
        return GST_FLOW_EOS;
    const auto failure = failure_.snapshot();
    if (!failure)
        return GST_FLOW_OK;
    is_ended_ = true;
    if (on_device_lost_ == OnPlaybackLost::error)
        post_error(element_, *failure);
    // After GST_FLOW_ERROR, the source would post an error of its own.
    return GST_FLOW_EOS;
}

void AudioSink::post_stats_if_due()
{
    const auto interval = settings_.lock()->report_interval;
    if (report_.is_due(interval, monotonic_now()))
        report_.post(stats());
}

// --- streaming ---

std::optional<MonotonicTime> AudioSink::due_at(GstClockTime running) const
{
    if (!GST_CLOCK_TIME_IS_VALID(running) || !gst_base_sink_get_sync(sink_) ||
        !clock_of(element_).clock)
        return std::nullopt;
    const auto [now, monotonic] =
        read_together([this] { return running_now(element_); }, [] { return monotonic_now(); });
    const nanoseconds due(static_cast<GstClockTimeDiff>(running) +
                          static_cast<GstClockTimeDiff>(gst_base_sink_get_latency(sink_)) +
                          gst_base_sink_get_ts_offset(sink_));
    return monotonic + (due - now);
}

GstFlowReturn AudioSink::wait(GstClockTime running)
{
    // Also waits for the end of the preroll.
    const auto flow = gst_base_sink_wait(sink_, running, nullptr);
    if (flow != GST_FLOW_OK)
        return flow;
    // Only a stream that is not synchronised can fill the queue.
    while (thread_->is_full()) {
        thread_->wait_for_room();
        if (control_.is_set()) {
            if (const auto paused = gst_base_sink_wait_preroll(sink_); paused != GST_FLOW_OK)
                return paused;
        }
    }
    return GST_FLOW_OK;
}

GstFlowReturn AudioSink::play(std::span<const std::byte> data, GstClockTime running)
{
    if (const auto flow = wait(running); flow != GST_FLOW_OK)
        return flow;
    thread_->set_gain(gain_);
    thread_->push({.format = *format_, .due = due_at(running)}, data);
    return GST_FLOW_OK;
}

GstFlowReturn AudioSink::render(GstBuffer *buffer)
{
    if (const auto flow = check_device(); flow != GST_FLOW_OK)
        return flow;
    post_stats_if_due();
    const auto time = GST_BUFFER_PTS(buffer);
    auto running = gst_segment_to_running_time(&sink_->segment, GST_FORMAT_TIME, time);
    if (GST_CLOCK_TIME_IS_VALID(time) && !GST_CLOCK_TIME_IS_VALID(running))
        return GST_FLOW_OK; // outside of the segment
    const MappedBuffer mapped(buffer, GST_MAP_READ);
    auto data = std::span<const std::byte>(mapped.bytes());
    if (format_->coding == PlaybackFormat::Coding::opus) {
        const auto flow = play(data, running);
        if (GST_CLOCK_TIME_IS_VALID(running) && GST_BUFFER_DURATION_IS_VALID(buffer))
            end_ = running + GST_BUFFER_DURATION(buffer);
        return flow;
    }
    // Raw buffers may have any length and are queued in pieces of 20 ms.
    constexpr std::size_t frames = VariableResampler::rate / 50;
    const std::size_t bytes =
        std::size_t{format_->channels} * (format_->coding == PlaybackFormat::Coding::s16 ? 2 : 4);
    while (data.size() >= bytes) {
        const auto part = data.first(std::min(data.size() / bytes, frames) * bytes);
        if (const auto flow = play(part, running); flow != GST_FLOW_OK)
            return flow;
        if (GST_CLOCK_TIME_IS_VALID(running)) {
            running +=
                gst_util_uint64_scale(part.size() / bytes, GST_SECOND, VariableResampler::rate);
            end_ = running;
        }
        data = data.subspan(part.size());
    }
    return GST_FLOW_OK;
}

GstFlowReturn AudioSink::on_event(GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_GAP:
        return conceal(event);
    case GST_EVENT_EOS:
        return drain();
    default:
        return GST_FLOW_OK;
    }
}

GstFlowReturn AudioSink::conceal(GstEvent *event)
{
    GstClockTime time = 0;
    GstClockTime duration = 0;
    gst_event_parse_gap(event, &time, &duration);
    const auto running = gst_segment_to_running_time(&sink_->segment, GST_FORMAT_TIME, time);
    if (const auto flow = check_device(); flow != GST_FLOW_OK)
        return flow;
    // A GAP may precede the caps. Without Opus, silence needs no packet.
    if (!format_ || format_->coding != PlaybackFormat::Coding::opus ||
        !GST_CLOCK_TIME_IS_VALID(running) || !GST_CLOCK_TIME_IS_VALID(duration))
        return GST_FLOW_OK;
    if (const auto due = due_at(running))
        thread_->push({.kind = PlaybackItem::Kind::gap,
                       .format = *format_,
                       .due = due,
                       .duration = nanoseconds(duration)},
                      {});
    end_ = running + duration;
    return GST_FLOW_OK;
}

GstFlowReturn AudioSink::drain()
{
    // Longer than any playout error. A device whose pointer has stopped is not
    // waited for.
    constexpr auto limit = 500ms;
    if (!format_)
        return GST_FLOW_OK;
    thread_->push({.kind = PlaybackItem::Kind::end, .format = *format_}, {});
    if (GST_CLOCK_TIME_IS_VALID(end_)) {
        const auto flow =
            gst_base_sink_wait(sink_, end_ + gst_base_sink_get_render_delay(sink_), nullptr);
        if (flow != GST_FLOW_OK)
            return flow;
    }
    const auto deadline = monotonic_now() + limit;
    for (auto now = monotonic_now(); now < deadline; now = monotonic_now()) {
        const bool is_idle = thread_->is_idle();
        const auto end = thread_->snapshot().playout_end;
        if (is_idle && end <= now)
            break;
        if (control_.sleep_until(std::min(is_idle ? end : now + 10ms, deadline))) {
            if (const auto flow = gst_base_sink_wait_preroll(sink_); flow != GST_FLOW_OK)
                return flow;
        }
    }
    return GST_FLOW_OK;
}

} // namespace jkvm
