// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmaudiosink
 * @title: jkvmaudiosink
 * @short_description: Plays Opus or raw audio on an ALSA device; keeps consuming while the device is unavailable and follows its clock without clicks
 *
 * Decodes Opus, or accepts raw audio (S16LE or F32LE at 48 kHz), resamples it to the clock of the device
 * and writes it into the device's ring. A thread of the element does all of this.
 *
 * ## Clocks
 *
 * Each sample is played at its running time plus the pipeline's latency. The rate of the device's clock
 * is estimated from the moments at which its hardware pointer moves. The resampling ratio follows that
 * rate, and is changed by up to 500 ppm in addition to correct an error of the playout time. A clock
 * that is 1000 ppm off therefore causes neither dropped nor repeated samples. An error of more than 40
 * ms, or a step of the timestamps by more than 5 ms, is corrected at once, by inserting silence or by
 * dropping audio.
 *
 * An element such as jkvmadaptivequeue may change its delay by stretching timestamps. Timestamps that
 * are stretched by up to 0.6 % are followed exactly: the resampling ratio includes their rate, which is
 * taken from the buffers' durations or from equal intervals between timestamps. The sink answers the
 * custom query jkvm-follows-timestamps by setting the field follows (gboolean) of its structure.
 *
 * With `slave-method=none` samples are played unchanged, and an error of more than 40 ms is corrected at
 * once.
 *
 * A UAC2 gadget has the ALSA control "Playback Pitch 1000000", which sets the speed at which its host
 * fetches samples. Where it exists, it is used instead of resampling, and samples are played unchanged;
 * `pitch-control=never` prevents that.
 *
 * With `provide-clock=true` the pipeline can use the device's clock. It never jumps, and continues at
 * the last rate while no device works.
 *
 * Initially the ring holds 24 ms of audio when a packet is written. An underrun, or three near underruns
 * within a minute, raises this target by half, up to half of buffer-time, and the latency by the same
 * amount. The render delay, which is part of the pipeline's latency, is the sum of the target and the
 * delays of the resampler, the driver and the hardware.
 *
 * ## Lost packets
 *
 * A gap in an Opus stream is concealed, whether or not a GAP event announces it. Concealed audio fades
 * out between 60 and 100 ms after the start of the gap. If the next packet arrives in time and contains
 * in-band FEC, the last lost frame is recovered from it; after a loss, the next packet is therefore
 * accepted as soon as it arrives. A late packet is concealed when the ring runs low; when it arrives,
 * the rest of it replaces the concealment. A GAP event may precede the caps.
 *
 * ## Unavailable devices
 *
 * While no device works, packets are consumed at the rate of the clock and dropped. Opening the devices
 * is retried at once, then after pauses of 100 to 200 ms. Outdated audio is never played: playback
 * continues with the packet that is due. `on-device-lost` selects an error or EOS instead. A state
 * change never waits for the device, because the element's own thread opens it.
 *
 * If `device` is changed while the element plays, the open device is closed, unless it is the first one
 * of the new list; the new devices are opened, and playback continues with the packet that is due.
 *
 * A device whose hardware pointer stops without an error, such as a USB gadget whose host does not
 * record, counts as blocked after 100 ms: its ring is emptied and it stays open. When its pointer moves
 * again, playback continues.
 *
 * |[
 * gst-launch-1.0 jkvmipcsrc direction=microphone socket-path=$XDG_RUNTIME_DIR/mic.sock ! jkvmadaptivequeue ! jkvmaudiosink device=hw:UAC2Gadget
 * gst-launch-1.0 audiotestsrc is-live=true ! audioconvert ! jkvmaudiosink device=hw:0,0
 * ]|
 *
 * ## Statistics
 *
 * The property stats is a structure application/x-jkvm-audiosink-stats with these fields. While buffers
 * flow, it is also logged (INFO) and posted as an element message every stats-interval. Counters never
 * decrease while the element is in PAUSED or PLAYING, and remain readable afterwards.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames | guint64 | packets played; raw audio counts in packets of up to 20 ms |
 * | bytes | guint64 | bytes in these packets |
 * | concealed | guint64 | duration of the audio that was concealed, ns |
 * | fec-recovered | guint64 | duration of the audio recovered from in-band FEC, ns |
 * | invalid | guint64 | packets that are not Opus; they are concealed |
 * | underruns | guint64 | times that the ring ran out of audio |
 * | dropped | guint64 | packets dropped: the sum of the next four |
 * | dropped-late | guint64 | packets that arrived after their due time |
 * | dropped-no-device | guint64 | packets dropped while no device played |
 * | dropped-queue-full | guint64 | packets and gaps dropped because the device's thread was blocked in the driver |
 * | dropped-flush | guint64 | packets dropped by a flush before they were written |
 * | realignments | guint64 | playout errors that were corrected at once, also by the first packet |
 * | depth | guint64 | audio that was written and not yet played, ns |
 * | ring-target | guint64 | target for the audio in the ring when a packet is written, ns |
 * | device-latency | guint64 | render delay: ring-target plus the delays of resampler, driver and hardware, ns |
 * | ratio-ppm | gdouble | deviation of the resampling ratio from 1, in parts per million |
 * | pitch-ppm | gdouble | deviation of the device's pitch control from 1, in parts per million |
 * | drift-ppm | gdouble | how much faster the device's clock is than the system's, in parts per million |
 * | playout-error-us | gdouble | estimated playout time less due time of the last packet, in microseconds |
 * | playout-error-p95-us | gdouble | 95th percentile of its absolute value over the last packets, about two minutes, in microseconds |
 * | latency-current, -average, -min, -max, -jitter, -p50, -p95, -p99 | guint64 | time from the capture of a packet's first sample to its playout, from the GstReferenceTimestampMeta (timestamp/x-unix) that jkvmipcsrc attaches; 0 without one, ns |
 * | latency-samples | guint64 | packets that these latencies were measured from |
 * | latency-trend | gchararray | stable, increasing, decreasing, volatile |
 * | latency-buckets, latency-sum | GstValueArray, guint64 | their histogram and their sum, ns |
 * | state | gchararray | search, open, run, lost, blocked |
 * | device | gchararray | the open device; empty if there is none |
 * | rate, channels | guint | granted by the device |
 * | connected | gboolean | whether a device plays |
 * | recoveries | guint64 | times that playback continued after the device had stopped |
 * | recoveries-by-reason | GstStructure | their number for each reason why it had stopped |
 * | scheduling | gchararray | what `priority` was granted: normal, nice, fifo |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted per second. Messages that were not posted
 * are counted in the field suppressed (guint) of the next one.
 *
 * The element message jkvm-device has the fields reason, state, device and detail (ALSA's reason).
 * Its reason is running when a device plays, otherwise: blocked (its pointer has stopped without an error),
 * missing, busy, forbidden, unsupported, unplugged, io-error, rate-changed, suspended (the machine was
 * suspended). It is posted by the element's thread; a handler must not change the element's state there.
 *
 * jkvm-latency is posted when the average latency (latency-average in the statistics) crosses
 * latency-warning or latency-critical. Its fields are reason (normal, high, critical), current, average,
 * p95 (guint64, ns) and trend (as latency-trend). The reason becomes lower when the average is below 80 %
 * of the threshold, and a second after the last change at the earliest.
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmaudiosink.h"

#include "audio_sink.h"
#include "common/element_type.h"
#include "common/open_in_ready.h"

GST_DEBUG_CATEGORY(jkvm_audio_sink_debug);

using jkvm::AudioSink;

struct _GstJkvmAudioSink {
    GstBaseSink parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmAudioSink, gst_jkvm_audio_sink, GST_TYPE_BASE_SINK, AudioSink)

static void configure_element(GstElementClass *klass)
{
    static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
        "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
        GST_STATIC_CAPS("audio/x-opus, channel-mapping-family = (int) 0; "
                        "audio/x-raw, format = (string) { S16LE, F32LE }, rate = (int) 48000, "
                        "channels = (int) [ 1, 2 ], layout = (string) interleaved"));
    gst_element_class_add_static_pad_template(klass, &sink_template);
    gst_element_class_set_static_metadata(klass, "JetKVM audio sink", "Sink/Audio/Decoder/Hardware",
                                          "Plays Opus or raw audio on an ALSA device",
                                          "the jkvm developers");
    klass->provide_clock = [](GstElement *self) noexcept { return impl(self).provide_clock(); };
    klass->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return jkvm::open_in_ready(impl(self), gst_jkvm_audio_sink_parent_class, self, transition);
    };
}

static void configure_sink(GstBaseSinkClass *klass)
{
    // The element synchronises by itself: a packet is needed before it is due.
    klass->get_times = [](GstBaseSink *, GstBuffer *, GstClockTime *start,
                          GstClockTime *end) noexcept { *start = *end = GST_CLOCK_TIME_NONE; };
    klass->unlock = [](GstBaseSink *self) noexcept -> gboolean {
        impl(self).unlock();
        return TRUE;
    };
    klass->unlock_stop = [](GstBaseSink *self) noexcept -> gboolean {
        impl(self).unlock_stop();
        return TRUE;
    };
    klass->set_caps = [](GstBaseSink *self, GstCaps *caps) noexcept -> gboolean {
        return impl(self).set_caps(caps);
    };
    klass->query = [](GstBaseSink *self, GstQuery *query) noexcept -> gboolean {
        return impl(self).answer_query(query) ||
               GST_BASE_SINK_CLASS(gst_jkvm_audio_sink_parent_class)->query(self, query);
    };
    klass->event = [](GstBaseSink *self, GstEvent *event) noexcept -> gboolean {
        if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP)
            impl(self).flush();
        return GST_BASE_SINK_CLASS(gst_jkvm_audio_sink_parent_class)->event(self, event);
    };
    klass->wait_event = [](GstBaseSink *self, GstEvent *event) noexcept {
        const auto flow =
            GST_BASE_SINK_CLASS(gst_jkvm_audio_sink_parent_class)->wait_event(self, event);
        return flow == GST_FLOW_OK ? impl(self).on_event(event) : flow;
    };
    klass->render = [](GstBaseSink *self, GstBuffer *buffer) noexcept {
        return impl(self).render(buffer);
    };
}

static void gst_jkvm_audio_sink_configure_class(GstJkvmAudioSinkClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_audio_sink_debug, "jkvmaudiosink", 0, "ALSA playback");
    AudioSink::live_properties().install(G_OBJECT_CLASS(klass));
    jkvm::playback_properties().install(G_OBJECT_CLASS(klass));
    configure_element(GST_ELEMENT_CLASS(klass));
    configure_sink(GST_BASE_SINK_CLASS(klass));
}
