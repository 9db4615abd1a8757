// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmaudiosrc
 * @title: jkvmaudiosrc
 * @short_description: captures sound through ALSA and codes it as Opus, whatever the device does
 *
 * One thread does all of it: it sleeps until the device has a frame, encodes the frame from the
 * device's own memory into a pooled buffer and pushes that. Where downstream takes no Opus it pushes
 * the samples (S16LE, 48 kHz).
 *
 * ## How sound is coded
 *
 * `quality` sets everything at once, while playing too; `direction=microphone` has other numbers:
 *
 * | | low | medium | high | ultra |
 * |---|---|---|---|---|
 * | output, kbit/s | 32 | 96 | 192 | 320 |
 * | microphone, kbit/s | 16 | 64 | 128 | 256 |
 * | frame, ms | 40 | 20 | 20 | 10 |
 * | output: channels, rate of the caps | 1, 24000 | 2, 48000 | 2, 48000 | 2, 48000 |
 * | microphone: channels, rate of the caps | 1, 16000 | 1, 48000 | 1, 48000 | 1, 48000 |
 * | complexity | 1 | 2 | 5 | 8 |
 * | signal | voice | auto | music | music |
 * | dtx | yes | no | no | no |
 *
 * Each of opusenc's properties can be set as well, at any time; `quality` is custom then. A change
 * takes effect with the next frame. It loses no frame and makes no step in the sound for a decoder
 * that goes on with the new caps. Sound is always captured and coded at 48 kHz; a lower rate in the
 * caps says that what lies above half of it is left out. Settings that do nothing or do harm
 * beside each other are a warning (LIBRARY, SETTINGS), and are used.
 *
 * The upstream event jkvm-encoder-request (fields frame-size and rate, bitrate, complexity, dtx,
 * packet-loss-percentage) is followed, with the bitrate within `min-bitrate` and `max-bitrate`, until
 * one of the properties is set or the event comes with withdrawn=TRUE.
 *
 * `mute` and `volume` fade within one frame. A muted stream is coded silence, 3 bytes a frame.
 *
 * ## A device that comes and goes
 *
 * As long as no device gives sound, silence is pushed, without a hole in time and at the pace of the
 * clock, and devices are tried again: at once, then after pauses of 100 to 300 ms. Sound is back
 * within half a second. `on-device-lost` chooses an error or the end of the stream instead. The
 * reasons for silence are those of the message jkvm-device, below.
 *
 * A device that does not have 48 kHz, the channels or 16 bits is opened as it is (8 to 192 kHz;
 * S16_LE, S32_LE, S24_3LE, S24_LE; any number of channels) and converted.
 *
 * Three overruns within a minute double the ring, up to 500 ms.
 *
 * ## Timestamps
 *
 * Timestamps count samples: each buffer begins where the last one ended. As long as device and
 * pipeline agree within 1 ms each lasts exactly one frame; else buffers get up to 0.2 % longer or
 * shorter until they do, so clocks may differ by 1000 ppm without a hole (`slave-method=none`: they
 * never do). They are made so that what a decoder puts out for a buffer was captured at the
 * buffer's timestamp, the look-ahead of the encoder included. The reported latency is one frame and
 * the look-ahead (26.5 ms for 20 ms), and what a conversion adds.
 *
 * |[
 * gst-launch-1.0 -e jkvmaudiosrc device=hw:0,0 ! oggmux ! filesink location=a.ogg
 * gst-launch-1.0 jkvmaudiosrc device="tc358743;hw:CARD=UAC2Gadget" quality=high ! jkvmipcsink socket-path=/tmp/a.sock
 * gst-launch-1.0 -m jkvmaudiosrc device=nosuch ! fakesink -v
 * ]|
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-audiosrc-stats in the property stats has these fields; once in
 * stats-interval it is logged (INFO) and posted as an element message too, with a frame. Counters only
 * grow while the element is in PAUSED or PLAYING, and stay readable after.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames | guint64 | frames made, those of silence included |
 * | bytes | guint64 | in these frames |
 * | bitrate | guint | that the encoder is set to, bit/s |
 * | frame-time | guint64 | length of a frame, ns |
 * | codec-mode | gchararray | silk, hybrid or celt, as the last packet with sound says |
 * | codec-bandwidth | gchararray | narrowband to fullband, as that packet says |
 * | codec-channels | guint | as that packet says |
 * | dtx-percent | gdouble | share of packets that say only that it is quiet |
 * | encode-time-current, -average, -min, -max, -p50, -p95, -p99 | guint64 | how long the encoder took for a frame, ns; the quantiles over about two minutes |
 * | encode-time-jitter | guint64 | mean distance of the last 100 of them from the average, ns |
 * | encode-time-samples | guint64 | frames that these times are of |
 * | encode-time-trend | gchararray | where the last 10 of them go: stable, increasing, decreasing, volatile |
 * | encode-time-buckets | GstValueArray of guint64 | how many frames took at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or longer, each counted in one place |
 * | encode-time-sum | guint64 | of the times in encode-time-buckets, ns |
 * | scheduling | gchararray | fifo, nice or normal: what the streaming thread was granted |
 * | levels | GstValueArray | for each captured channel the peak and rms of a frame of about the last 200 ms, gdouble, dB below full scale, -100 for silence |
 * | device-state | gchararray | search, open, run or lost |
 * | device-trouble | gchararray | why there is no sound, or was none before there was again; none |
 * | device | gchararray | the one that is open |
 * | device-rate, device-channels | guint | that it was opened with |
 * | device-format | gchararray | ALSA's name of its sample format |
 * | device-period, device-buffer | guint64 | that it granted, ns |
 * | converted | gboolean | whether its sound has to be converted |
 * | driver-timestamps | gboolean | whether the driver's timestamps are used; given up after nonsense |
 * | drift-ppm | gdouble | how much faster the device's clock is than the pipeline's |
 * | overruns | guint64 | times that samples were lost because nobody read them in time |
 * | lost-time | guint64 | sound lost that way, ns |
 * | resyncs | guint64 | times that the count of samples was more than 40 ms off the pipeline's clock, and the timestamps followed the clock |
 * | silent-frames | guint64 | frames of silence for want of a device |
 * | recoveries | guint64 | times that sound came back |
 * | recoveries-by-reason | GstStructure | the same for each reason |
 * | pool-size, pool-bound | guint64 | buffers in the packet pool, and their maximum number |
 * | pool-outstanding | guint64 | buffers of the pool in use downstream |
 * | pool-hits, pool-misses | guint64 | buffers taken from the pool, and buffers allocated because none was free |
 * | pool-allocations | guint64 | buffers allocated so far, including the initial ones |
 * | pool-hit-percent | gdouble | share of the hits (%) |
 * | processed_frames | guint64 | as frames |
 * | dropped_frames | guint64 | frames that fit into lost-time |
 * | drop_rate_percent | gdouble | share of the dropped ones |
 * | avg_processing_time_ns | guint64 | that volume, level and encoder took, on average |
 * | channel_buffer_size | guint | frames that the ring holds |
 * | channel_current_size | guint | frames that were in it when the last one was taken |
 * | connected | gboolean | whether there is sound from a device |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted a second; the next one says in its
 * field suppressed (guint) how many were not.
 *
 * The element message jkvm-device has the fields reason, state, device and detail (what ALSA said).
 * Its reason is running when sound comes, else why none does: missing, busy, forbidden, unsupported,
 * unplugged, io-error, rate-changed (the source has another rate), suspended (the machine slept),
 * frozen (neither sound nor an error), free-running (sound faster than time passes), stuck (the
 * same value for half a second, which is not 0).
 *
 * The element message jkvm-xrun says that samples were lost (reason overrun, lost-time in ns), or
 * that the ring is larger now (reason ring-grown, buffer-time in ns).
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmaudiosrc.h"

#include "alsa/sound_cards.h"
#include "capture/capture_engine.h"
#include "capture/capture_stats.h"
#include "capture_properties.h"
#include "codec/frame_coder.h"
#include "codec_properties.h"
#include "common/clocks.h"
#include "common/element_error.h"
#include "common/element_message.h"
#include "common/element_type.h"
#include "common/encoder_request.h"
#include "common/mapped_buffer.h"
#include "common/open_in_ready.h"
#include "common/opus_caps.h"
#include "common/packet_pool.h"
#include "common/properties.h"
#include "common/stats_report.h"
#include "core/base/guarded.h"
#include "core/base/wait_control.h"
#include "core/timing/device_clock.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

GST_DEBUG_CATEGORY_STATIC(jkvm_audio_src_debug);
#define GST_CAT_DEFAULT jkvm_audio_src_debug

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

enum Property {
    property_actual_buffer_time = 1,
    property_actual_latency_time,
    property_stats,
};

// What create() returns after an error was posted. With GST_FLOW_ERROR the base class would post a
// second one; this completes what downstream writes, too.
constexpr auto ended_by_error = GST_FLOW_EOS;

using SharedClock = std::shared_ptr<Guarded<DeviceClock>>;

/// A clock of GStreamer that shows that of the device; it may outlive the element.
GstClock *make_clock(const SharedClock &device_clock)
{
    const auto get_time = [](GstClock *, gpointer shared) noexcept {
        const auto &clock = *static_cast<SharedClock *>(shared);
        return static_cast<GstClockTime>(clock->lock()->at(monotonic_now()).count());
    };
    const auto destroy = [](gpointer shared) noexcept {
        delete static_cast<SharedClock *>(shared);
    };
    return gst_audio_clock_new("jkvmaudioclock", get_time, new SharedClock(device_clock), destroy);
}

class AudioSrc final : public CaptureEngine::Host {
public:
    explicit AudioSrc(GstJkvmAudioSrc *element)
        : element_(GST_ELEMENT(element)), src_(GST_BASE_SRC(element)),
          xruns_(element_, "jkvm-xrun"), devices_(element_, "jkvm-device"),
          report_(element_, GST_CAT_DEFAULT)
    {
        gst_base_src_set_live(src_, TRUE);
        gst_base_src_set_format(src_, GST_FORMAT_TIME);
    }

    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();
    void unlock() { control_.interrupt(); }
    void unlock_stop() { control_.resume(); }
    /// What the device captured while the pipeline was paused is old.
    void restart() { control_.request_restart(); }
    bool negotiate();
    bool answer_latency(GstQuery *query);
    bool handle_event(GstEvent *event);
    GstClock *provide_clock();
    /// The streaming thread begins or ends; on that thread.
    void watch_thread(GstMessage *message);
    GstFlowReturn create(GstBuffer **buffer);

private:
    CaptureEngine::Moment now() override;
    void device_changed(const DeviceReport &report) override;
    void latency_changed() override;
    void has_overrun(nanoseconds lost) override;
    void ring_has_grown(nanoseconds buffer_time) override;
    void device_counts(nanoseconds position, MonotonicTime captured) override;

    void change_codec(const std::function<void(CodecControl &)> &change);
    /// What was set since the last frame. False: it cannot be, and that is posted.
    bool apply_settings();
    void warn_of_contradictions(const EncoderSettings &settings);
    bool set_caps();
    bool wants_samples();
    GstFlowReturn end_of_device();
    /// GST_FLOW_CUSTOM_SUCCESS: the frame lies before the start of the stream and is not pushed.
    GstFlowReturn give_frame(GstBuffer **buffer);
    void publish(const FrameCoder::Coded &coded);
    void post_stats_when_due();

    GstElement *element_;
    GstBaseSrc *src_;
    ElementMessages xruns_;
    ElementMessages devices_;
    StatsReport report_;
    WaitControl control_;
    ThreadPriority priority_; // the streaming thread's
    Guarded<CaptureSettings> settings_;
    Guarded<CodecControl> codec_;
    std::atomic<bool> codec_changed_{false}; // since the streaming thread looked
    std::atomic<double> gain_{1};            // what mute and volume come to
    Guarded<CaptureStats> stats_;            // as of the last frame
    std::atomic<nanoseconds> latency_{0ns};  // 0 while it is closed
    SharedClock device_clock_ = std::make_shared<Guarded<DeviceClock>>();

    // From open() to close(); used by the streaming thread in between.
    std::unique_ptr<CaptureEngine> engine_;
    std::optional<FrameCoder> coder_;
    PacketPool pool_;
    unsigned channels_ = 2;  // that are captured
    EncoderSettings stream_; // of which the caps tell
    int pre_skip_ = 0;       // which they tell too
    OnDeviceLost on_device_lost_ = OnDeviceLost::silence;
};

} // namespace

struct _GstJkvmAudioSrc {
    GstPushSrc parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmAudioSrc, gst_jkvm_audio_src, GST_TYPE_PUSH_SRC, AudioSrc)

static void install_properties(GObjectClass *object_class)
{
    g_object_class_install_property(
        object_class, property_actual_buffer_time,
        g_param_spec_int64("actual-buffer-time", "Actual buffer time",
                           "Size of the ring that the device granted, in microseconds; 0 while "
                           "none is open (since 0.1)",
                           0, G_MAXINT64, 0, read_only));
    g_object_class_install_property(
        object_class, property_actual_latency_time,
        g_param_spec_int64("actual-latency-time", "Actual latency time",
                           "Period that the device granted, in microseconds; 0 while none is open "
                           "(since 0.1)",
                           0, G_MAXINT64, 0, read_only));
    g_object_class_install_property(
        object_class, property_stats,
        g_param_spec_boxed("stats", "Statistics", "Counters, and times in nanoseconds (since 0.1)",
                           GST_TYPE_STRUCTURE, read_only));
    install_capture_properties(object_class);
    install_codec_properties(object_class);
}

static void gst_jkvm_audio_src_configure_class(GstJkvmAudioSrcClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_audio_src_debug, "jkvmaudiosrc", 0, "ALSA capture coded as Opus");

    install_properties(G_OBJECT_CLASS(klass));

    auto *element_class = GST_ELEMENT_CLASS(klass);
    static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
        "src", GST_PAD_SRC, GST_PAD_ALWAYS,
        GST_STATIC_CAPS("audio/x-opus, rate = (int) { 48000, 24000, 16000 }, "
                        "channels = (int) [ 1, 2 ], channel-mapping-family = (int) 0, "
                        "stream-count = (int) 1, coupled-count = (int) [ 0, 1 ]; "
                        "audio/x-raw, format = (string) S16LE, rate = (int) 48000, "
                        "channels = (int) [ 1, 2 ], layout = (string) interleaved"));
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "JetKVM audio source", "Source/Audio/Encoder/Hardware",
        "Captures sound through ALSA and codes it as Opus", "the jkvm developers");

    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return open_in_ready(impl(self), gst_jkvm_audio_src_parent_class, self, transition);
    };
    element_class->provide_clock = [](GstElement *self) noexcept {
        return impl(self).provide_clock();
    };
    element_class->post_message = [](GstElement *self, GstMessage *message) noexcept -> gboolean {
        impl(self).watch_thread(message);
        return GST_ELEMENT_CLASS(gst_jkvm_audio_src_parent_class)->post_message(self, message);
    };

    auto *src_class = GST_BASE_SRC_CLASS(klass);
    src_class->unlock = [](GstBaseSrc *self) noexcept -> gboolean {
        impl(self).unlock();
        return TRUE;
    };
    src_class->unlock_stop = [](GstBaseSrc *self) noexcept -> gboolean {
        impl(self).unlock_stop();
        return TRUE;
    };
    src_class->negotiate = [](GstBaseSrc *self) noexcept -> gboolean {
        return impl(self).negotiate();
    };
    src_class->event = [](GstBaseSrc *self, GstEvent *event) noexcept -> gboolean {
        return impl(self).handle_event(event) ||
               GST_BASE_SRC_CLASS(gst_jkvm_audio_src_parent_class)->event(self, event);
    };
    src_class->query = [](GstBaseSrc *self, GstQuery *query) noexcept -> gboolean {
        if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY && impl(self).answer_latency(query))
            return TRUE;
        return GST_BASE_SRC_CLASS(gst_jkvm_audio_src_parent_class)->query(self, query);
    };
    GST_PUSH_SRC_CLASS(klass)->create = [](GstPushSrc *self, GstBuffer **buffer) noexcept {
        return impl(self).create(buffer);
    };
}

namespace {

// --- properties
// -----------------------------------------------------------------------------------

void AudioSrc::set_property(guint id, const GValue *value, GParamSpec *)
{
    if (id >= first_codec_property) {
        change_codec([&](CodecControl &control) { set_codec_property(control, id, value); });
        return;
    }
    auto settings = settings_.lock();
    set_capture_property(*settings, id, value);
    gain_ = settings->mute ? 0 : settings->volume;
    // Only who has this flag is asked for a clock.
    if (settings->provide_clock)
        GST_OBJECT_FLAG_SET(element_, GST_ELEMENT_FLAG_PROVIDE_CLOCK);
    else
        GST_OBJECT_FLAG_UNSET(element_, GST_ELEMENT_FLAG_PROVIDE_CLOCK);
}

void AudioSrc::get_property(guint id, GValue *value, GParamSpec *)
{
    if (id >= first_codec_property) {
        get_codec_property(codec_.snapshot(), id, value);
        return;
    }
    switch (id) {
    case property_actual_buffer_time:
        g_value_set_int64(value, stats_.lock()->device.format.buffer_time / 1us);
        break;
    case property_actual_latency_time:
        g_value_set_int64(value, stats_.lock()->device.format.period / 1us);
        break;
    case property_stats:
        g_value_take_boxed(value, make_structure(stats_.snapshot()));
        break;
    default:
        get_capture_property(settings_.snapshot(), id, value);
    }
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
    codec_changed_ = true;
    control_.request_wake_up(); // the frame that is waited for may be as long as before
    notify_codec_properties(G_OBJECT(element_), before, after);
}

bool AudioSrc::handle_event(GstEvent *event)
{
    const auto now = codec_.lock()->effective();
    const auto samples = static_cast<std::uint32_t>(now.frame * now.rate / 1s);
    const auto wanted = parse_encoder_request(
        event,
        {.stream = {.sample_rate = now.rate, .channels = now.channels, .frame_size = samples},
         .bitrate = now.bitrate,
         .complexity = now.complexity,
         .dtx = now.dtx});
    if (!wanted)
        return false;
    if (is_withdrawal(event)) {
        change_codec([](CodecControl &control) { control.withdraw_request(); });
        return true;
    }
    const auto &stream = wanted->stream;
    const auto frame =
        nanoseconds(std::chrono::seconds(stream.frame_size)) / std::max(1U, stream.sample_rate);
    // Who asks for what there is asks for nothing; the limits are not for what the owner set.
    EncoderRequest request{.packet_loss_percentage = parse_expected_loss(event)};
    if (frame != now.frame)
        request.frame = frame;
    if (wanted->bitrate != now.bitrate)
        request.bitrate = wanted->bitrate;
    if (wanted->complexity != now.complexity)
        request.complexity = wanted->complexity;
    if (wanted->dtx != now.dtx)
        request.dtx = wanted->dtx;
    change_codec([&](CodecControl &control) { control.request(request); });
    return true;
}

// --- opening and closing
// --------------------------------------------------------------------------

bool AudioSrc::open()
{
    const auto settings = settings_.snapshot();
    codec_.lock()->withdraw_request(); // that was of receivers of the last session
    const auto codec = codec_.snapshot();
    if (control_.fd() < 0) {
        post_error(element_, {ErrorKind::out_of_resources, "an event", "eventfd failed"});
        return false;
    }
    channels_ = capture_channels(codec.direction());
    on_device_lost_ = settings.on_device_lost;
    *stats_.lock() = {.channels = channels_};
    pool_ = PacketPool(std::max(OpusFrameEncoder::max_packet_size,
                                CaptureFrameReader::max_frame * channels_ * sizeof(std::int16_t)));
    coder_.emplace(channels_);
    engine_ = std::make_unique<CaptureEngine>(
        CaptureEngine::Config{.devices = split_device_list(settings.device),
                              .channels = channels_,
                              .period = std::min(settings.latency_time, codec.effective().frame),
                              .buffer_time =
                                  std::max(settings.buffer_time, 2 * codec.effective().frame)},
        *this);
    engine_->follow_clock(settings.slave_method == SlaveMethod::skew);
    codec_changed_ = true;
    bool is_open = apply_settings();
    pre_skip_ = is_open ? coder_->pre_skip() : 0;
    if (is_open && !engine_->open() && on_device_lost_ == OnDeviceLost::error) {
        end_of_device();
        is_open = false;
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
    auto stats = stats_.lock();
    stats->device = {};
}

GstFlowReturn AudioSrc::end_of_device()
{
    if (on_device_lost_ == OnDeviceLost::error) {
        auto error = engine_->error();
        if (error.kind == ErrorKind::device_missing)
            error.detail += "; those that exist: " + list_capture_devices();
        post_error(element_, error);
        return ended_by_error;
    }
    return on_device_lost_ == OnDeviceLost::eos ? GST_FLOW_EOS : GST_FLOW_OK;
}

bool AudioSrc::wants_samples()
{
    const auto wanted =
        GstRef<GstCaps>::adopt(gst_pad_peer_query_caps(GST_BASE_SRC_PAD(src_), nullptr));
    const auto opus = GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("audio/x-opus"));
    return wanted && !gst_caps_can_intersect(wanted.get(), opus.get());
}

bool AudioSrc::negotiate()
{
    coder_->set_output(wants_samples() ? FrameCoder::Output::samples : FrameCoder::Output::opus);
    engine_->set_frame(coder_->frame_samples(), coder_->look_ahead());
    latency_changed();
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
        return false; // closed: nothing is known
    // The ring holds what downstream does not take in time; without a device, that which there
    // will be.
    auto ring = stats_.lock()->device.format.buffer_time;
    if (ring == 0ns)
        ring = settings_.lock()->buffer_time;
    gst_query_set_latency(query, TRUE, static_cast<GstClockTime>(latency.count()),
                          static_cast<GstClockTime>((latency + ring).count()));
    return true;
}

GstClock *AudioSrc::provide_clock()
{
    return settings_.lock()->provide_clock ? make_clock(device_clock_) : nullptr;
}

void AudioSrc::watch_thread(GstMessage *message)
{
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_STREAM_STATUS ||
        GST_MESSAGE_SRC(message) != GST_OBJECT(GST_BASE_SRC_PAD(src_)))
        return;
    GstStreamStatusType type{};
    gst_message_parse_stream_status(message, &type, nullptr);
    const auto wanted = settings_.lock()->priority;
    if (type == GST_STREAM_STATUS_TYPE_ENTER && wanted > 0) {
        const auto granted = priority_.raise(wanted);
        stats_.lock()->scheduling = granted;
        GST_INFO_OBJECT(element_, "priority %d asked for, granted: %s", wanted, name_of(granted));
    } else if (type == GST_STREAM_STATUS_TYPE_LEAVE) {
        priority_.restore();
        stats_.lock()->scheduling = ThreadPriority::Granted::normal;
    }
}

// --- what the engine tells
// ------------------------------------------------------------------------

CaptureEngine::Moment AudioSrc::now()
{
    const auto [running, monotonic] =
        read_together([this] { return running_now(element_); }, [] { return monotonic_now(); });
    return {running, monotonic};
}

void AudioSrc::device_changed(const DeviceReport &report)
{
    stats_.lock()->device = engine_->device();
    if (report.state == DeviceState::open)
        return; // it is not known yet whether that is good for anything
    const bool runs = report.state == DeviceState::run;
    devices_.post(runs ? "running" : name_of(report.trouble),
                  Fields()
                      .set("state", std::string(name_of(report.state)))
                      .set("device", report.device)
                      .set("detail", report.detail));
    if (runs)
        GST_INFO_OBJECT(element_, "sound comes from %s", report.device.c_str());
    else
        GST_WARNING_OBJECT(element_, "no sound (%s): %s", name_of(report.trouble),
                           report.detail.c_str());
}

void AudioSrc::latency_changed()
{
    const auto latency = engine_->latency();
    if (latency_.exchange(latency) != latency)
        gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
}

void AudioSrc::has_overrun(nanoseconds lost)
{
    xruns_.post("overrun", Fields().set("lost-time", lost));
    GST_WARNING_OBJECT(element_, "lost %" G_GINT64_FORMAT " ms of sound",
                       static_cast<gint64>(lost / 1ms));
}

void AudioSrc::ring_has_grown(nanoseconds buffer_time)
{
    xruns_.post("ring-grown", Fields().set("buffer-time", buffer_time));
}

void AudioSrc::device_counts(nanoseconds position, MonotonicTime captured)
{
    device_clock_->lock()->count(position, captured);
}

// --- frames
// ---------------------------------------------------------------------------------------

void AudioSrc::warn_of_contradictions(const EncoderSettings &settings)
{
    for (const auto sentence : contradictions(settings))
        post_warning(element_, {ErrorKind::settings_conflict, std::string(sentence), {}});
}

bool AudioSrc::apply_settings()
{
    coder_->set_gain(gain_);
    if (!codec_changed_.exchange(false))
        return true;
    const auto settings = codec_.lock()->effective();
    if (const auto applied = coder_->apply(settings); !applied) {
        post_error(element_, applied.error());
        return false;
    }
    warn_of_contradictions(settings);
    engine_->set_frame(coder_->frame_samples(), coder_->look_ahead());
    latency_changed();
    stats_.lock()->settings = settings;
    if (gst_pad_has_current_caps(GST_BASE_SRC_PAD(src_)) &&
        (settings.rate != stream_.rate || settings.channels != stream_.channels ||
         settings.audio_type != stream_.audio_type)) {
        // Some decoders begin anew with new caps. But what they put out begins where the last
        // ended: there is nothing to leave out.
        coder_->begin_anew();
        pre_skip_ = 0;
        set_caps();
    }
    return true;
}

GstFlowReturn AudioSrc::create(GstBuffer **buffer)
{
    for (;;) {
        if (!engine_->is_started()) {
            (void)control_.take_restart(); // this is one
            engine_->restart();
        }
        if (!apply_settings())
            return ended_by_error;
        switch (engine_->next(control_)) {
        case CaptureEngine::Outcome::interrupted:
            if (control_.take_wake_up())
                break;
            if (control_.take_restart()) {
                engine_->restart();
                break;
            }
            engine_->pause();
            return GST_FLOW_FLUSHING;
        case CaptureEngine::Outcome::trouble:
            if (const auto flow = end_of_device(); flow != GST_FLOW_OK)
                return flow;
            break;
        case CaptureEngine::Outcome::frame: {
            const auto flow = give_frame(buffer);
            engine_->release();
            if (flow != GST_FLOW_CUSTOM_SUCCESS)
                return flow;
        }
        }
    }
}

GstFlowReturn AudioSrc::give_frame(GstBuffer **buffer)
{
    auto packet = pool_.acquire();
    if (!packet)
        return GST_FLOW_FLUSHING;
    auto coded = coder_->code(engine_->frame(), engine_->is_silence(), engine_->history(),
                              MappedBuffer(packet.get(), GST_MAP_WRITE).bytes());
    if (!coded) {
        post_error(element_, coded.error());
        return ended_by_error;
    }
    publish(*coded);
    post_stats_when_due();
    const auto &stamp = engine_->stamp();
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

void AudioSrc::publish(const FrameCoder::Coded &coded)
{
    auto stats = stats_.lock();
    stats->capture = engine_->counters();
    stats->coding.add(coded);
    stats->pool = pool_.stats();
}

void AudioSrc::post_stats_when_due()
{
    const auto interval = settings_.lock()->report_interval;
    if (report_.is_due(interval, monotonic_now()))
        report_.post(make_structure(stats_.snapshot()));
}

} // namespace
