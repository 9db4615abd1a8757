// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_sink.h"

#include "common/element_error.h"
#include "common/timestamp_following.h"
#include "core/device/device_list.h"

#include <utility>

#define GST_CAT_DEFAULT jkvm_audio_sink_debug

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Time to wake the device's thread and to decode a packet.
constexpr nanoseconds processing_time = 333us;

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
      devices_(element_, "jkvm-device"), latency_messages_(element_),
      report_(element_, GST_CAT_DEFAULT),
      unix_time_(GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("timestamp/x-unix")))
{
    gst_base_sink_set_last_sample_enabled(sink_, FALSE);
    gst_base_sink_set_processing_deadline(sink_, 0);
    gst_base_sink_set_render_delay(
        sink_, to_clock_time(PlaybackEngine::initial_latency + processing_time));
}

// --- properties ---

PlaybackStats AudioSink::collect_stats() const
{
    const auto playback = playback_.lock();
    if (!*playback)
        return last_stats_.snapshot();
    return {(*playback)->snapshot(), (*playback)->quality(), (*playback)->scheduling()};
}

gint64 AudioSink::actual_buffer_time() const
{
    return collect_stats().engine.format.buffer_time / 1us;
}

gint64 AudioSink::actual_latency_time() const
{
    return collect_stats().engine.format.period / 1us;
}

GstStructure *AudioSink::stats() const
{
    return make_structure(collect_stats());
}

const PropertyTable<AudioSink> &AudioSink::live_properties()
{
    static const auto table = live_device_properties(
        &AudioSink::actual_buffer_time, &AudioSink::actual_latency_time, &AudioSink::stats);
    return table;
}

void AudioSink::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    std::string devices;
    {
        auto settings = settings_.lock();
        if (!playback_properties().set(*settings, value, spec))
            G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
        gain_ = settings->device.gain();
        set_provides_clock(element_, settings->device.provide_clock);
        devices = settings->device.device;
    }
    if (!g_str_equal(spec->name, "device"))
        return;
    if (const auto playback = playback_.lock(); *playback)
        (*playback)->set_devices(split_device_list(devices));
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
    on_device_lost_ = settings.device.on_device_lost;
    failure_.lock()->reset();
    is_ended_ = false;
    format_.reset();
    latency_watch_ = {};
    end_ = audio_end_ = GST_CLOCK_TIME_NONE;
    const bool may_set_pitch = settings.pitch_control == UsePitchControl::automatic;
    auto playback = std::make_unique<PlaybackThread>(
        PlaybackThread::Config{
            .engine = {.devices = split_device_list(settings.device.device),
                       .period = settings.device.latency_time,
                       .buffer_time = settings.device.buffer_time,
                       .follows_clock = settings.device.slave_method == SlaveMethod::follow,
                       .open_pitch_control = may_set_pitch
                                                 ? PitchControlFactory(&open_pitch_control)
                                                 : PitchControlFactory()},
            .priority = settings.device.priority},
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
    end_ = audio_end_ = GST_CLOCK_TIME_NONE;
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

bool AudioSink::answer_query(GstQuery *query) const
{
    const bool follows = settings_.lock()->device.slave_method == SlaveMethod::follow;
    return answer_timestamp_following(query, follows);
}

GstClock *AudioSink::provide_clock()
{
    return settings_.lock()->device.provide_clock ? make_clock_object(device_clock_) : nullptr;
}

// --- events of the playback thread ---

void AudioSink::on_device_changed(const DeviceReport &report)
{
    if (report.state == DeviceState::open)
        return; // not known to work yet
    const bool runs = report.state == DeviceState::run;
    if (!runs && on_device_lost_ != OnDeviceLost::wait)
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

void AudioSink::on_device_position(nanoseconds position, MonotonicTime time)
{
    device_clock_->lock()->update(position, time);
}

GstFlowReturn AudioSink::check_device()
{
    if (is_ended_)
        return GST_FLOW_EOS;
    const auto failure = failure_.snapshot();
    if (!failure)
        return GST_FLOW_OK;
    is_ended_ = true;
    if (on_device_lost_ == OnDeviceLost::error)
        post_error(element_, *failure);
    // After GST_FLOW_ERROR, the source would post an error of its own.
    return GST_FLOW_EOS;
}

void AudioSink::post_latency_change()
{
    const auto thresholds = settings_.lock()->latency;
    if (const auto change = thread_->update(latency_watch_, thresholds))
        latency_messages_.post(*change);
}

void AudioSink::post_stats_if_due()
{
    const auto interval = settings_.lock()->device.report_interval;
    if (report_.is_due(interval, monotonic_now()))
        report_.post(stats());
}

} // namespace jkvm
