// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_src.h"

#include "alsa/sound_cards.h"
#include "common/clocks.h"
#include "common/element_error.h"
#include "common/encoder_request.h"
#include "common/opus_caps.h"

#include <gst/audio/audio.h>

#define GST_CAT_DEFAULT jkvm_audio_src_debug

namespace jkvm {

using namespace std::chrono_literals;

AudioSrc::AudioSrc(GstJkvmAudioSrc *element)
    : element_(GST_ELEMENT(element)), src_(GST_BASE_SRC(element)), xruns_(element_, "jkvm-xrun"),
      devices_(element_, "jkvm-device"), levels_(element_), report_(element_, GST_CAT_DEFAULT),
      omitted_(src_)
{
    gst_base_src_set_live(src_, TRUE);
    gst_base_src_set_format(src_, GST_FORMAT_TIME);
}

// --- properties ---

gint64 AudioSrc::actual_buffer_time() const
{
    return stats_.lock()->device.format.buffer_time / 1us;
}

gint64 AudioSrc::actual_latency_time() const
{
    return stats_.lock()->device.format.period / 1us;
}

GstStructure *AudioSrc::stats() const
{
    auto stats = stats_.snapshot();
    stats.scheduling = priority_.granted();
    stats.pool = pool_monitor_.lock()->stats();
    const auto unheard = unheard_time_.snapshot();
    stats.activity = unheard.activity();
    stats.unheard_time = unheard.total(monotonic_now());
    return make_structure(stats);
}

const PropertyTable<AudioSrc> &AudioSrc::live_properties()
{
    static const auto table = live_device_properties(
        &AudioSrc::actual_buffer_time, &AudioSrc::actual_latency_time, &AudioSrc::stats);
    return table;
}

void AudioSrc::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    bool is_capture_property = false;
    {
        auto settings = settings_.lock();
        is_capture_property = capture_properties().set(*settings, value, spec);
        gain_ = settings->device.gain();
        when_unheard_ = settings->when_unheard;
        levels_.configure(settings->level);
        set_provides_clock(element_, settings->device.provide_clock);
    }
    if (is_capture_property)
        return on_capture_property(spec->name);
    change_codec([&](CodecControl &control) {
        if (!codec_properties().set(control, value, spec))
            G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    });
}

void AudioSrc::on_capture_property(std::string_view name)
{
    // The streaming thread may be waiting indefinitely.
    if (name == "device")
        devices_changed_ = true;
    else if (name == "mute")
        state_changed_ = true;
    else if (name != "when-unheard")
        return;
    control_.request_wake_up();
}

void AudioSrc::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (!live_properties().get(*this, value, spec) &&
        !capture_properties().get(*settings_.lock(), value, spec) &&
        !codec_properties().get(*codec_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

void AudioSrc::change_codec(const std::function<void(CodecControl &)> &change)
{
    CodecControl before;
    CodecControl after;
    {
        auto codec = codec_.lock();
        before = *codec;
        change(*codec);
        after = *codec;
    }
    codec_changed_ = state_changed_ = true;
    control_.request_wake_up(); // the streaming thread waits for a frame of the old length
    codec_properties().notify_changes(G_OBJECT(element_), before, after);
}

bool AudioSrc::on_event(GstEvent *event)
{
    if (demand_.on_event(event)) {
        if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE)
            repeats_state_ = true;
        control_.request_wake_up();
    }
    return is_demand(event);
}

bool AudioSrc::handle_encoder_request(GstEvent *event)
{
    auto parsed = parse_encoder_request(event, codec_.lock()->direction());
    if (!parsed) {
        post_warning(element_, parsed.error());
        return false;
    }
    const auto &[fields, packet_loss_percentage, is_withdrawal] = *parsed;
    if (is_withdrawal) {
        change_codec([](CodecControl &control) { control.withdraw_request(); });
        return true;
    }
    const auto now = codec_.lock()->effective();
    // Ignore fields that match the current settings; limits apply to requests only.
    EncoderRequest request{.packet_loss_percentage = packet_loss_percentage};
    if (fields.frame_size) {
        const auto frame = nanoseconds(std::chrono::seconds(*fields.frame_size)) /
                           fields.sample_rate.value_or(now.rate);
        if (frame != now.frame)
            request.frame = frame;
    }
    if (fields.bitrate && fields.bitrate != now.bitrate)
        request.bitrate = fields.bitrate;
    if (fields.complexity && fields.complexity != now.complexity)
        request.complexity = fields.complexity;
    if (fields.dtx && fields.dtx != now.dtx)
        request.dtx = fields.dtx;
    change_codec([&](CodecControl &control) { control.request(request); });
    return true;
}

// --- opening and closing ---

bool AudioSrc::open()
{
    interrupted_create_.reset();
    const auto settings = settings_.snapshot();
    codec_.lock()->withdraw_request(); // made by receivers of the last session
    const auto codec = codec_.snapshot();
    if (control_.fd() < 0) {
        post_error(element_, {ErrorKind::out_of_resources, "an event", "eventfd failed"});
        return false;
    }
    channels_ = capture_channels(codec.direction());
    on_device_lost_ = settings.device.on_device_lost;
    *stats_.lock() = {.channels = channels_};
    demand_.reset();
    omitted_.reset();
    levels_.reset();
    activity_ = Activity::encode;
    *unheard_time_.lock() = {};
    pool_ = PacketPool(std::max(OpusFrameEncoder::max_packet_size,
                                CaptureFrameReader::max_frame * channels_ * sizeof(std::int16_t)));
    *pool_monitor_.lock() = pool_.monitor();
    coder_.emplace(channels_);
    const auto frame = codec.effective().frame;
    engine_ = std::make_unique<CaptureEngine>(
        CaptureEngine::Config{.devices = split_device_list(settings.device.device),
                              .channels = channels_,
                              .period = std::min(settings.device.latency_time, frame),
                              .buffer_time = std::max(settings.device.buffer_time, 2 * frame)},
        *this);
    engine_->set_following_clock(settings.device.slave_method == SlaveMethod::follow);
    codec_changed_ = state_changed_ = true;
    pushed_state_ = {};
    devices_changed_ = false;
    bool is_open = apply_settings();
    pre_skip_ = is_open ? coder_->pre_skip() : 0;
    if (is_open) {
        const auto opened = engine_->open();
        if (!opened && on_device_lost_ == OnDeviceLost::error) {
            post_device_error(opened.error());
            is_open = false;
        }
    }
    if (!is_open)
        close();
    return is_open;
}

void AudioSrc::close()
{
    latency_ = 0ns;
    engine_.reset();
    coder_.reset();
    pool_ = {};
    unheard_time_.lock()->on_changed(Activity::encode, monotonic_now());
    auto stats = stats_.lock();
    stats->device = {};
}

void AudioSrc::post_device_error(Error error)
{
    if (error.kind == ErrorKind::device_missing)
        error.detail += "; existing devices: " + list_capture_devices();
    post_error(element_, error);
}

void AudioSrc::warn_of_contradictions(const EncoderSettings &settings)
{
    for (const auto sentence : contradictions(settings))
        post_warning(element_, {ErrorKind::settings_conflict, std::string(sentence), {}});
}

// --- caps, latency, clock, thread ---

bool AudioSrc::prefers_samples()
{
    const auto accepted =
        GstRef<GstCaps>::adopt(gst_pad_peer_query_caps(GST_BASE_SRC_PAD(src_), nullptr));
    const auto opus = GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("audio/x-opus"));
    return accepted && !gst_caps_can_intersect(accepted.get(), opus.get());
}

bool AudioSrc::negotiate()
{
    coder_->set_output(prefers_samples() ? FrameCoder::Output::samples : FrameCoder::Output::opus);
    engine_->set_frame(coder_->frame_samples(), coder_->look_ahead());
    on_latency_changed();
    return set_caps();
}

bool AudioSrc::set_caps()
{
    stream_ = coder_->settings();
    if (coder_->output() == FrameCoder::Output::opus) {
        const auto caps = make_opus_caps({.rate = static_cast<int>(stream_.rate),
                                          .channels = static_cast<int>(stream_.channels),
                                          .pre_skip = pre_skip_},
                                         "jkvmaudiosrc");
        return gst_base_src_set_caps(src_, caps.get());
    }
    GstAudioInfo info;
    gst_audio_info_set_format(&info, GST_AUDIO_FORMAT_S16LE, CaptureFrameReader::rate,
                              static_cast<gint>(channels_), nullptr);
    const auto caps = GstRef<GstCaps>::adopt(gst_audio_info_to_caps(&info));
    return gst_base_src_set_caps(src_, caps.get());
}

bool AudioSrc::answer_latency(GstQuery *query)
{
    const auto latency = latency_.load();
    if (latency == 0ns)
        return false; // closed: the latency is unknown
    // The ring buffers captured audio while downstream is blocked. Without a device, assume the
    // size that will be requested.
    auto ring = stats_.lock()->device.format.buffer_time;
    if (ring == 0ns)
        ring = settings_.lock()->device.buffer_time;
    gst_query_set_latency(query, TRUE, static_cast<GstClockTime>(latency.count()),
                          static_cast<GstClockTime>((latency + ring).count()));
    return true;
}

GstClock *AudioSrc::provide_clock()
{
    return settings_.lock()->device.provide_clock ? make_clock_object(device_clock_) : nullptr;
}

void AudioSrc::on_message(GstMessage *message)
{
    priority_.on_message(message, GST_BASE_SRC_PAD(src_), settings_.lock()->device.priority);
}

} // namespace jkvm
