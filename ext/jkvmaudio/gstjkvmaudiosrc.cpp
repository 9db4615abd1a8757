// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmaudiosrc
 * @title: jkvmaudiosrc
 * @short_description: captures sound through ALSA and codes it as Opus
 *
 * Captures S16 stereo at 48 kHz from an ALSA device and codes it with libopus: 20 ms frames,
 * 96 kbit/s, constrained VBR. One thread does all of it: it sleeps until the device has a frame,
 * encodes the frame from the device's own memory into a pooled buffer and pushes that.
 *
 * Timestamps count samples: each buffer follows the last one by exactly one frame. They are made
 * so that what a decoder puts out for a buffer was captured at the buffer's timestamp, the
 * look-ahead of the encoder included. The reported latency is one frame and the look-ahead (26.5
 * ms).
 *
 * |[
 * gst-launch-1.0 -e jkvmaudiosrc device=hw:0,0 ! oggmux ! filesink location=a.ogg
 * gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink socket-path=/tmp/a.sock
 * ]|
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-audiosrc-stats in the property stats has these fields. Counters
 * only grow while the element is in PAUSED or PLAYING, and stay readable after.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames | guint64 | Opus frames pushed |
 * | bytes | guint64 | of Opus pushed |
 * | overruns | guint64 | times that samples were lost because nobody read them in time, or the device was suspended |
 * | lost-time | guint64 | sound lost that way, ns |
 * | resyncs | guint64 | times that the count of samples was more than 40 ms off the pipeline's clock, and the timestamps followed the clock |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted a second; the next one says in its
 * field suppressed (guint) how many were not.
 *
 * The element message jkvm-xrun says that samples were lost: reason (overrun), lost-time (ns).
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmaudiosrc.h"

#include "common/clocks.h"
#include "common/element_error.h"
#include "common/element_message.h"
#include "common/element_type.h"
#include "common/mapped_buffer.h"
#include "common/open_in_ready.h"
#include "common/opus_caps.h"
#include "common/properties.h"
#include "core/audio/frame_timeline.h"
#include "core/base/guarded.h"
#include "core/ipc/wait_control.h"
#include "opus_encoder.h"
#include "pcm.h"

#include <optional>

GST_DEBUG_CATEGORY_STATIC(jkvm_audio_src_debug);
#define GST_CAT_DEFAULT jkvm_audio_src_debug

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

enum Property {
    property_device = 1,
    property_buffer_time,
    property_actual_buffer_time,
    property_actual_latency_time,
    property_stats,
};

constexpr const char *default_device = "hw:0,0";
constexpr auto default_buffer_time = 80ms;
// How far the count of samples may be off the pipeline's clock before the timestamps follow it.
constexpr auto timeline_tolerance = 40ms;
// What create() returns after an error was posted. With GST_FLOW_ERROR the base class would post a
// second one; this completes what downstream writes, too.
constexpr auto ended_by_error = GST_FLOW_EOS;

class AudioSrc {
public:
    explicit AudioSrc(GstJkvmAudioSrc *element)
        : element_(GST_ELEMENT(element)), src_(GST_BASE_SRC(element)), xruns_(element_, "jkvm-xrun")
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
    void restart() { control_.ask_restart(); }
    bool negotiate();
    bool answer_latency(GstQuery *query);
    GstFlowReturn create(GstBuffer **buffer);

private:
    struct Settings {
        std::string device = default_device;
        nanoseconds buffer_time = default_buffer_time;
    };
    struct Stats {
        guint64 frames = 0;
        guint64 bytes = 0;
        guint64 overruns = 0;
        guint64 resyncs = 0;
        nanoseconds lost_time{0};
    };
    /// What start() found out; the application may ask for it at any time.
    struct Actual {
        nanoseconds buffer_time{0};
        nanoseconds period_time{0};
        nanoseconds latency{0};
    };

    bool start_pool();
    bool start_device();
    /// GST_FLOW_CUSTOM_SUCCESS: the frame lies before the start of the stream and is not pushed.
    GstFlowReturn encode(GstBuffer **buffer);
    GstStructure *stats() const;

    GstElement *element_;
    GstBaseSrc *src_;
    ElementMessages xruns_;
    WaitControl control_;
    Guarded<Settings> settings_;
    Guarded<Stats> stats_;
    Guarded<Actual> actual_;

    // From start() to stop(); used by the streaming thread in between.
    std::optional<Pcm> pcm_;
    std::optional<OpusFrameEncoder> encoder_;
    GstRef<GstBufferPool> pool_;
    FrameTimeline timeline_{timeline_tolerance};
    bool is_running_ = false;
    bool has_overrun_ = false; // since the last frame
    bool is_first_ = true;     // since the device was started
};

} // namespace

struct _GstJkvmAudioSrc {
    GstPushSrc parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmAudioSrc, gst_jkvm_audio_src, GST_TYPE_PUSH_SRC, AudioSrc)

static void gst_jkvm_audio_src_configure_class(GstJkvmAudioSrcClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_audio_src_debug, "jkvmaudiosrc", 0, "ALSA capture coded as Opus");

    auto *object_class = G_OBJECT_CLASS(klass);
    const auto microseconds = [](nanoseconds time) { return static_cast<gint64>(time / 1us); };

    g_object_class_install_property(
        object_class, property_device,
        g_param_spec_string(
            "device", "Device",
            "ALSA's name of the capture device, as arecord -L lists them (since 0.1)",
            default_device, mutable_ready));
    g_object_class_install_property(
        object_class, property_buffer_time,
        g_param_spec_int64(
            "buffer-time", "Buffer time",
            "Size of the device's ring in microseconds: how long the pipeline may be "
            "held up before samples are lost; no latency (since 0.1)",
            40000, 2000000, microseconds(default_buffer_time), mutable_ready));
    g_object_class_install_property(
        object_class, property_actual_buffer_time,
        g_param_spec_int64("actual-buffer-time", "Actual buffer time",
                           "Size of the ring that the device granted, in microseconds; 0 while it "
                           "is closed (since 0.1)",
                           0, G_MAXINT64, 0, read_only));
    g_object_class_install_property(
        object_class, property_actual_latency_time,
        g_param_spec_int64("actual-latency-time", "Actual latency time",
                           "Period that the device granted, in microseconds; 0 while it is closed "
                           "(since 0.1)",
                           0, G_MAXINT64, 0, read_only));
    g_object_class_install_property(
        object_class, property_stats,
        g_param_spec_boxed("stats", "Statistics", "Counters, and times in nanoseconds (since 0.1)",
                           GST_TYPE_STRUCTURE, read_only));

    auto *element_class = GST_ELEMENT_CLASS(klass);
    static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
        "src", GST_PAD_SRC, GST_PAD_ALWAYS,
        GST_STATIC_CAPS("audio/x-opus, rate = (int) 48000, channels = (int) 2, "
                        "channel-mapping-family = (int) 0, stream-count = (int) 1, "
                        "coupled-count = (int) 1"));
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "JetKVM audio source", "Source/Audio/Encoder/Hardware",
        "Captures sound through ALSA and codes it as Opus", "the jkvm developers");

    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return open_in_ready(impl(self), gst_jkvm_audio_src_parent_class, self, transition);
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

void AudioSrc::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    auto settings = settings_.lock();
    switch (id) {
    case property_device: {
        const char *device = g_value_get_string(value);
        settings->device = device != nullptr ? device : default_device;
        break;
    }
    case property_buffer_time:
        settings->buffer_time = std::chrono::microseconds(g_value_get_int64(value));
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    }
}

void AudioSrc::get_property(guint id, GValue *value, GParamSpec *spec)
{
    switch (id) {
    case property_device:
        g_value_set_string(value, settings_.lock()->device.c_str());
        break;
    case property_buffer_time:
        g_value_set_int64(value, settings_.lock()->buffer_time / 1us);
        break;
    case property_actual_buffer_time:
        g_value_set_int64(value, actual_.lock()->buffer_time / 1us);
        break;
    case property_actual_latency_time:
        g_value_set_int64(value, actual_.lock()->period_time / 1us);
        break;
    case property_stats:
        g_value_take_boxed(value, stats());
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    }
}

bool AudioSrc::open()
{
    const auto settings = settings_.snapshot();
    if (control_.fd() < 0) {
        post_error(element_, {ErrorKind::out_of_resources, "an event", "eventfd failed"});
        return false;
    }
    auto encoder = OpusFrameEncoder::create(2, {});
    if (!encoder) {
        post_error(element_, encoder.error());
        return false;
    }
    auto pcm = Pcm::open({.device = settings.device,
                          .rate = OpusFrameEncoder::rate,
                          .channels = encoder->settings().channels,
                          .frame = encoder->frame_samples(),
                          .buffer_time = settings.buffer_time});
    if (!pcm) {
        post_error(element_, pcm.error());
        return false;
    }
    encoder_ = std::move(*encoder);
    pcm_ = std::move(*pcm);
    *stats_.lock() = {};
    timeline_.reset();
    is_running_ = false;

    // A period that does not divide the frame wakes us up to one period after the frame is
    // complete.
    const auto frame = encoder_->settings().frame;
    const auto wait =
        encoder_->frame_samples() % pcm_->period_samples() == 0 ? 0ns : pcm_->period_time();
    *actual_.lock() = {.buffer_time = pcm_->buffer_time(),
                       .period_time = pcm_->period_time(),
                       .latency = frame + encoder_->look_ahead() + wait};
    GST_INFO_OBJECT(element_,
                    "opened %s: ring %" G_GINT64_FORMAT " ms, period %" G_GINT64_FORMAT " us",
                    settings.device.c_str(), static_cast<gint64>(pcm_->buffer_time() / 1ms),
                    static_cast<gint64>(pcm_->period_time() / 1us));
    if (start_pool())
        return true;
    close();
    return false;
}

bool AudioSrc::start_pool()
{
    pool_ = GstRef<GstBufferPool>::adopt(gst_buffer_pool_new());
    GstStructure *config = gst_buffer_pool_get_config(pool_.get());
    // Enough for a pipeline that hands buffers on at once; more are made when more are held.
    constexpr guint ready_made = 4;
    gst_buffer_pool_config_set_params(
        config, nullptr, static_cast<guint>(OpusFrameEncoder::max_packet_size), ready_made, 0);
    if (gst_buffer_pool_set_config(pool_.get(), config) &&
        gst_buffer_pool_set_active(pool_.get(), TRUE))
        return true;
    post_error(element_, {ErrorKind::out_of_resources, "the buffer pool",
                          "gst_buffer_pool_set_active failed"});
    return false;
}

void AudioSrc::close()
{
    gst_buffer_pool_set_active(pool_.get(), FALSE);
    pool_ = {};
    pcm_.reset();
    encoder_.reset();
    *actual_.lock() = {};
}

bool AudioSrc::negotiate()
{
    const auto caps = make_opus_caps({.rate = static_cast<int>(encoder_->settings().rate),
                                      .channels = static_cast<int>(encoder_->settings().channels),
                                      .pre_skip = encoder_->pre_skip()},
                                     "jkvmaudiosrc");
    return gst_base_src_set_caps(src_, caps.get());
}

bool AudioSrc::answer_latency(GstQuery *query)
{
    const auto actual = actual_.snapshot();
    if (actual.latency == 0ns)
        return false; // closed: nothing is known
    const auto latency = static_cast<GstClockTime>(actual.latency.count());
    // The ring holds what downstream does not take in time.
    gst_query_set_latency(query, TRUE, latency,
                          latency + static_cast<GstClockTime>(actual.buffer_time.count()));
    return true;
}

bool AudioSrc::start_device()
{
    if (auto started = pcm_->start(); !started) {
        post_error(element_, started.error());
        return false;
    }
    is_running_ = true;
    has_overrun_ = false;
    is_first_ = true;
    timeline_.reset();
    return true;
}

GstFlowReturn AudioSrc::create(GstBuffer **buffer)
{
    for (;;) {
        if (!is_running_) {
            (void)control_.take_restart(); // this is one
            if (!start_device())
                return ended_by_error;
        }
        switch (pcm_->wait(control_)) {
        case Pcm::Outcome::interrupted:
            pcm_->stop();
            is_running_ = false;
            if (!control_.take_restart())
                return GST_FLOW_FLUSHING;
            break;
        case Pcm::Outcome::overrun:
            GST_DEBUG_OBJECT(element_, "overrun");
            ++stats_.lock()->overruns;
            has_overrun_ = true;
            timeline_.expect_hole();
            break;
        case Pcm::Outcome::failed:
            post_error(element_, pcm_->error());
            return ended_by_error;
        case Pcm::Outcome::ready:
            if (const auto flow = encode(buffer); flow != GST_FLOW_CUSTOM_SUCCESS)
                return flow;
        }
    }
}

GstFlowReturn AudioSrc::encode(GstBuffer **buffer)
{
    // Before the encoder runs, which may take a good part of a frame's time on a small core.
    const auto now = read_clocks(element_);

    GstBuffer *acquired = nullptr;
    if (const auto flow = gst_buffer_pool_acquire_buffer(pool_.get(), &acquired, nullptr);
        flow != GST_FLOW_OK)
        return flow;
    auto packet = GstRef<GstBuffer>::adopt(acquired);
    std::size_t size = 0;
    {
        const MappedBuffer map(packet.get(), GST_MAP_WRITE);
        auto encoded = encoder_->encode(pcm_->frame(), map.bytes());
        if (!encoded) {
            post_error(element_, encoded.error());
            return ended_by_error;
        }
        size = *encoded;
    }
    pcm_->release();

    const auto frame = encoder_->settings().frame;
    const auto captured = now.running - pcm_->age() - encoder_->look_ahead();
    const auto stamp = timeline_.place(captured, frame);
    if (std::exchange(has_overrun_, false)) {
        stats_.lock()->lost_time += stamp.hole;
        xruns_.post("overrun", Fields().set("lost-time", stamp.hole));
        GST_WARNING_OBJECT(element_, "lost %" G_GINT64_FORMAT " ms of sound",
                           static_cast<gint64>(stamp.hole / 1ms));
    } else if (stamp.discontinuity && !is_first_) {
        ++stats_.lock()->resyncs;
        GST_INFO_OBJECT(element_, "followed the pipeline's clock");
    }
    is_first_ = false;
    if (stamp.time < 0ns)
        return GST_FLOW_CUSTOM_SUCCESS;

    gst_buffer_set_size(packet.get(), static_cast<gssize>(size));
    GST_BUFFER_PTS(packet.get()) = static_cast<GstClockTime>(stamp.time.count());
    GST_BUFFER_DURATION(packet.get()) = static_cast<GstClockTime>(frame.count());
    if (stamp.discontinuity) {
        GST_BUFFER_FLAG_SET(packet.get(), GST_BUFFER_FLAG_DISCONT);
        GST_BUFFER_FLAG_SET(packet.get(), GST_BUFFER_FLAG_RESYNC);
    }
    {
        auto stats = stats_.lock();
        ++stats->frames;
        stats->bytes += size;
    }
    *buffer = packet.release();
    return GST_FLOW_OK;
}

GstStructure *AudioSrc::stats() const
{
    const auto stats = stats_.snapshot();
    return Fields()
        .set("frames", stats.frames)
        .set("bytes", stats.bytes)
        .set("overruns", stats.overruns)
        .set("lost-time", stats.lost_time)
        .set("resyncs", stats.resyncs)
        .release("application/x-jkvm-audiosrc-stats");
}

} // namespace
