// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmaudiosrc
 * @title: jkvmaudiosrc
 * @short_description: Captures audio from an ALSA device and encodes it to Opus; keeps streaming silence while the device is unavailable
 *
 * One thread does all the work: it sleeps until the device has captured a frame, encodes the frame
 * from the device's own memory into a pooled buffer and pushes the buffer. If downstream does not
 * accept Opus, the element pushes raw samples (S16LE, 48 kHz).
 *
 * ## Encoding
 *
 * `quality` sets all parameters at once, also while playing. `direction=microphone` has its own
 * presets:
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
 * The properties that have the same names as those of opusenc can also be set individually, at any
 * time; `quality` is then custom. A change takes effect with the next frame. It loses no frame and
 * causes no click in a decoder that accepts the new caps. Audio is always captured and encoded at 48
 * kHz; a lower rate in the caps means that frequencies above half of it are not encoded. Settings that
 * have no effect in combination, or reduce the quality, are used, but cause a warning (LIBRARY,
 * SETTINGS).
 *
 * The upstream event jkvm-encoder-request (fields quality, frame-size and rate, bitrate, complexity,
 * dtx, packet-loss-percentage) changes the encoder until one of the properties is set or the event is
 * repeated with withdrawn=TRUE. Of a quality, the frame size, bitrate, complexity and dtx are applied,
 * unless the event has a field for them. The bitrate stays within `min-bitrate` and `max-bitrate`.
 *
 * `mute` and `volume` fade within one frame. A muted stream is encoded silence, 3 bytes per frame.
 *
 * ## Demand
 *
 * jkvmipcsink reports the number of its listeners with the upstream event jkvm-demand. While every data
 * path downstream ends in a jkvmipcsink without listeners, `when-unheard` selects what the element does:
 *
 * * idle: the device is read, so that its clock, its rate and its faults stay known, but nothing is
 *   encoded or pushed. The first frame follows the first listener within one frame time.
 * * release-device: the device is closed, and nothing wakes the thread. The first listener receives silence
 *   until the device is open and delivers audio.
 * * encode: nothing changes.
 *
 * A path may lead through tee, queue, queue2, multiqueue, capsfilter, opusparse and into and out of
 * bins. Behind any other element, such as a muxer of a recording, the use of the audio is unknown, so
 * the element encodes. Links are checked again after a RECONFIGURE event, and once per second, but
 * not while the device is released.
 *
 * Running time continues meanwhile. GAP events cover the time without frames, so that downstream sees no hole;
 * the first frame after it is flagged DISCONT and can be decoded without earlier ones. In
 * `idle` the events are at most 1 s apart. A program that watches the pipeline for hangs can set the
 * context jkvm.heartbeat with the field interval (guint64, ns) on it before it starts: GAP events are then
 * at most that far apart, also while the device is released. The worker of jkvmsupervisedsrc does so.
 *
 * ## State
 *
 * The sticky event jkvm-source (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY) describes the element to those
 * downstream, first before the first buffer, then again with each change. Its fields are device-state (as in the
 * statistics), reason (why no device works: the reason of jkvm-device, or none), muted (gboolean),
 * quality, bitrate, complexity, frame-size, dtx and packet-loss-percentage, with which the encoder works now,
 * and decided-by: request if a jkvm-encoder-request has changed some of them, otherwise properties. quality is
 * custom then. The types are those of the properties, and gchararray for nicks.
 *
 * ## Unavailable devices
 *
 * While no device works, the element pushes silence at the pace of the clock, without a gap in the
 * timestamps, and retries the devices: at once, then after pauses of 100 to 200 ms. Audio returns
 * within half a second of a device. `on-device-lost` selects an error or EOS instead. The message
 * jkvm-device, described below, has the reason.
 *
 * If `device` is changed while a device runs, the first device of the new list that can be opened is started
 * beside it, and replaces it once it has delivered audio: the timestamps continue, without a gap, silence or
 * DISCONT. A device that cannot be opened, or delivers nothing within 1 s, leaves the old one running; jkvm-device
 * has the reason, and state is run. If both are on one card that cannot be opened twice, the old one is closed
 * first, and silence fills the gap.
 *
 * A device that does not offer 48 kHz, the requested channels or 16-bit samples is opened in its
 * nearest format (8 to 192 kHz; S16_LE, S32_LE, S24_3LE, S24_LE; any number of channels), and its
 * audio is converted.
 *
 * A consumer that is slower than real time causes overruns: the ring bounds the delay, and audio
 * continues after each gap. Three overruns within a minute double the ring, up to 500 ms.
 *
 * A device that stops delivering samples is closed after twice the duration of its longest pause so
 * far, but after at least 250 ms and at most 400 ms.
 *
 * ## Devices that run at another rate than they report
 *
 * Some capture chips deliver 44.1 kHz and report 48 kHz. The element measures the rate of each device
 * against the clock. A rate that is wrong by 0.5 % or more, up to a factor of three, is detected
 * within 0.5 s, one that is wrong by 0.2 % within 5 s. From then on the element resamples from the
 * measured rate, which is accurate to 50 ppm within 30 s, and follows its changes, until the device
 * runs at the reported rate again. Stalls, overruns and stolen CPU time are not taken for a wrong
 * rate. The position of some devices moves in steps of more than 2 ms; a wrong rate then takes 5 s to
 * detect, and errors below 1 % may remain undetected. Errors below 0.2 % are corrected in the
 * timestamps.
 *
 * ## Timestamps
 *
 * Timestamps count samples: each buffer starts where the last one ended. While the clocks of device
 * and pipeline agree within 1 ms, each buffer lasts exactly one frame; otherwise buffers are up to
 * 0.2 % longer or shorter until they do. Clocks may therefore differ by 1000 ppm without a gap
 * (`slave-method=none` turns this off). Timestamps never run backwards and never lead the clock by
 * more than a frame: buffers of a device that is much too fast are shortened as far as needed. The
 * encoder's look-ahead is accounted for: the decoder's output for a buffer was captured at the
 * buffer's timestamp. The reported latency is one frame plus the look-ahead (26.5 ms for 20 ms frames)
 * plus the delay of a conversion.
 *
 * |[
 * gst-launch-1.0 -e jkvmaudiosrc device=hw:0,0 ! oggmux ! filesink location=a.ogg
 * gst-launch-1.0 jkvmaudiosrc device="tc358743;hw:CARD=UAC2Gadget" quality=high ! jkvmipcsink socket-path=$XDG_RUNTIME_DIR/a.sock
 * gst-launch-1.0 -m jkvmaudiosrc device=nosuch ! fakesink -v
 * ]|
 *
 * ## Statistics
 *
 * The property stats is a structure application/x-jkvm-audiosrc-stats with these fields. While buffers
 * flow, it is also logged (INFO) and posted as an element message every stats-interval. Counters never
 * decrease while the element is in PAUSED or PLAYING, and remain readable afterwards.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames | guint64 | frames output, including silence |
 * | bytes | guint64 | bytes in these frames |
 * | bitrate | guint | target bitrate of the encoder, bit/s |
 * | frame-time | guint64 | length of a frame, ns |
 * | codec-mode | gchararray | silk, hybrid or celt: mode of the last packet that is not DTX |
 * | codec-bandwidth | gchararray | narrowband to fullband: bandwidth of that packet |
 * | codec-channels | guint | channels of that packet |
 * | dtx-percent | gdouble | share of DTX packets |
 * | encode-time-current, -average, -min, -max, -p50, -p95, -p99 | guint64 | time to encode a frame, ns; the quantiles cover about two minutes |
 * | encode-time-jitter | guint64 | mean absolute deviation of the last 100 times from the average, ns |
 * | encode-time-samples | guint64 | number of times measured |
 * | encode-time-trend | gchararray | trend of the last 10 times: stable, increasing, decreasing, volatile |
 * | encode-time-buckets | GstValueArray of guint64 | histogram: number of frames that took at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or longer; each frame is counted once |
 * | encode-time-sum | guint64 | sum of the times in encode-time-buckets, ns |
 * | scheduling | gchararray | fifo, nice or normal: granted to the streaming thread |
 * | levels | GstValueArray | for each captured channel the peak and rms of one frame per 200 ms, gdouble, dB below full scale, -100 for silence |
 * | activity | gchararray | encode, idle or release-device: what the element does, see Demand |
 * | unheard-time | guint64 | time without the activity encode since the element was opened, ns |
 * | device-state | gchararray | search, open, run, lost or released |
 * | device-trouble | gchararray | why no device works, or why none worked before this one; none |
 * | device | gchararray | the open device |
 * | device-rate, device-channels | guint | format in which it was opened |
 * | device-format | gchararray | ALSA name of its sample format |
 * | device-period, device-buffer | guint64 | granted by the device, ns |
 * | converted | gboolean | whether its samples are converted |
 * | driver-timestamps | gboolean | whether the driver's timestamps are used; FALSE after several implausible ones |
 * | drift-ppm | gdouble | how much faster the device's clock is than the pipeline's |
 * | measured-rate | gdouble | rate of the device, Hz: measured if it differs from device-rate |
 * | overruns | guint64 | times that samples were lost because they were not read in time |
 * | lost-time | guint64 | duration of the samples lost that way, ns |
 * | resyncs | guint64 | times that timestamps were more than 40 ms behind the pipeline's clock and jumped to it |
 * | silent-frames | guint64 | frames of silence output while no device worked |
 * | recoveries | guint64 | times that audio returned after a device had failed |
 * | recoveries-by-reason | GstStructure | the same for each reason |
 * | pool-size, pool-bound | guint64 | buffers in the packet pool, and their maximum number |
 * | pool-outstanding | guint64 | buffers of the pool in use downstream |
 * | pool-hits, pool-misses | guint64 | buffers taken from the pool, and buffers allocated because none was free |
 * | pool-allocations | guint64 | buffers allocated so far, including the initial ones |
 * | pool-hit-percent | gdouble | share of the hits (%) |
 * | processed_frames | guint64 | same as frames |
 * | dropped_frames | guint64 | lost-time in frames |
 * | drop_rate_percent | gdouble | share of dropped frames |
 * | avg_processing_time_ns | guint64 | average time for volume, level and encoder |
 * | channel_buffer_size | guint | size of the ring in frames |
 * | channel_current_size | guint | frames in the ring when the last one was read |
 * | connected | gboolean | whether a device delivers audio |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted per second. Messages that were not posted
 * are counted in the field suppressed (guint) of the next one.
 *
 * The element message jkvm-device has the fields reason, state, device and detail (ALSA's reason).
 * Its reason is running when a device delivers audio, released when nothing listens and `when-unheard` is
 * release-device, otherwise: missing, busy, forbidden,
 * unsupported, unplugged, io-error, rate-changed (the source has another rate), suspended (the
 * machine was suspended), frozen (neither samples nor an error), free-running (samples faster than
 * real time), stuck (the same non-zero value for half a second).
 *
 * With the reason rate-mismatch the device runs at another rate than it reports: the fields
 * measured-rate (gdouble) and reported-rate (guint) have both in Hz. This is posted once for each rate
 * detected. The reason running with these fields reports that the device runs at the reported rate
 * again.
 *
 * With level-messages=true, jkvm-level reports the input, before volume and mute. Its reason is silence (below
 * -60 dBFS for silence-after), clipping (three consecutive samples of a channel at full scale) or audio
 * (the silence has ended, or nothing was clipped for 2 s). Its fields are reason, peak (gdouble, dBFS, of
 * the frame that caused the message; -100 at the lowest) and silent-time (guint64, ns: how long the input was
 * silent). The silence that the element outputs without a device is not reported; jkvm-device is.
 *
 * The element message jkvm-xrun reports lost samples (reason overrun, lost-time in ns) or a larger
 * ring (reason ring-grown, buffer-time in ns).
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmaudiosrc.h"

#include "audio_src.h"
#include "common/element_type.h"
#include "common/encoder_request.h"
#include "common/open_in_ready.h"

GST_DEBUG_CATEGORY(jkvm_audio_src_debug);
#define GST_CAT_DEFAULT jkvm_audio_src_debug

using namespace jkvm; // NOLINT: the element's own file

struct _GstJkvmAudioSrc {
    GstPushSrc parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmAudioSrc, gst_jkvm_audio_src, GST_TYPE_PUSH_SRC, AudioSrc)

static void configure_element(GstElementClass *klass)
{
    static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
        "src", GST_PAD_SRC, GST_PAD_ALWAYS,
        GST_STATIC_CAPS("audio/x-opus, rate = (int) { 48000, 24000, 16000 }, "
                        "channels = (int) [ 1, 2 ], channel-mapping-family = (int) 0, "
                        "stream-count = (int) 1, coupled-count = (int) [ 0, 1 ]; "
                        "audio/x-raw, format = (string) S16LE, rate = (int) 48000, "
                        "channels = (int) [ 1, 2 ], layout = (string) interleaved"));
    gst_element_class_add_static_pad_template(klass, &src_template);
    gst_element_class_set_static_metadata(
        klass, "JetKVM audio source", "Source/Audio/Encoder/Hardware",
        "Captures audio from an ALSA device and encodes it to Opus", "the jkvm developers");
    klass->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return open_in_ready(impl(self), gst_jkvm_audio_src_parent_class, self, transition);
    };
    klass->send_event = [](GstElement *self, GstEvent *event) noexcept -> gboolean {
        impl(self).on_send_event(event);
        return GST_ELEMENT_CLASS(gst_jkvm_audio_src_parent_class)->send_event(self, event);
    };
    klass->provide_clock = [](GstElement *self) noexcept { return impl(self).provide_clock(); };
    klass->post_message = [](GstElement *self, GstMessage *message) noexcept -> gboolean {
        impl(self).on_message(message);
        return GST_ELEMENT_CLASS(gst_jkvm_audio_src_parent_class)->post_message(self, message);
    };
}

static void configure_source(GstBaseSrcClass *klass)
{
    klass->unlock = [](GstBaseSrc *self) noexcept -> gboolean {
        impl(self).unlock();
        return TRUE;
    };
    klass->unlock_stop = [](GstBaseSrc *self) noexcept -> gboolean {
        impl(self).unlock_stop();
        return TRUE;
    };
    klass->negotiate = [](GstBaseSrc *self) noexcept -> gboolean { return impl(self).negotiate(); };
    klass->event = [](GstBaseSrc *self, GstEvent *event) noexcept -> gboolean {
        if (is_encoder_request(event))
            return impl(self).handle_encoder_request(event);
        if (impl(self).on_event(event))
            return TRUE;
        return GST_BASE_SRC_CLASS(gst_jkvm_audio_src_parent_class)->event(self, event);
    };
    klass->query = [](GstBaseSrc *self, GstQuery *query) noexcept -> gboolean {
        if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY && impl(self).answer_latency(query))
            return TRUE;
        return GST_BASE_SRC_CLASS(gst_jkvm_audio_src_parent_class)->query(self, query);
    };
    GST_PUSH_SRC_CLASS(klass)->create = [](GstPushSrc *self, GstBuffer **buffer) noexcept {
        return impl(self).create(buffer);
    };
}

static void gst_jkvm_audio_src_configure_class(GstJkvmAudioSrcClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_audio_src_debug, "jkvmaudiosrc", 0,
                            "ALSA capture encoded to Opus");
    AudioSrc::live_properties().install(G_OBJECT_CLASS(klass));
    capture_properties().install(G_OBJECT_CLASS(klass));
    codec_properties().install(G_OBJECT_CLASS(klass));
    configure_element(GST_ELEMENT_CLASS(klass));
    configure_source(GST_BASE_SRC_CLASS(klass));
}
