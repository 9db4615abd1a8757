// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmadaptivequeue
 * @title: jkvmadaptivequeue
 * @short_description: Removes jitter from a packet stream with a playout delay that adapts to it
 *
 * Removes the jitter from a live packet stream: it measures how late each packet arrives and pushes
 * the packets evenly, with the delay that minimises the combined cost of delay and late frames. It is
 * designed for Opus and accepts any stream of packets that have a duration.
 *
 * Use it with `opusdec plc=true`. When a frame is missing at its playout time, the queue sends GAP
 * events, and opusdec conceals them. With opusdec's default, plc=false, each GAP is silence, which
 * clicks. The first GAP event has the duration of a frame, at most 20 ms, and further ones at most 10
 * ms: a decoder fades out a little with each event, so a few long ones are louder than many short ones.
 * After 100 ms no more are sent; one GAP event before the next frame covers the rest. Pauses of the
 * sender (gaps in its timestamps, or GAP events from upstream) are not underruns. A gap of more than 5 s
 * is not filled; the buffer after it is DISCONT.
 *
 * ## Changing the delay
 *
 * | adapt | the delay |
 * |---|---|
 * | frames | grows only during an underrun, which is concealed anyway, and shrinks by dropping a whole frame, preferably a quiet one, when the reduced delay is worth it |
 * | slew | moves towards its target continuously, in both directions: timestamps and durations are stretched by up to 0.5 %, drift included, and consecutive buffers are contiguous. Frames are concealed or dropped only in underruns and pauses, and at the limits |
 * | auto | slew if the sink follows timestamps, otherwise frames. The default |
 *
 * A sink follows timestamps if it resamples to their rate, as jkvmaudiosink does. The audio sinks of
 * GStreamer do not: with adapt=slew their own corrections would be audible. With adapt=auto the queue
 * sends the query jkvm-follows-timestamps to the sink, provided that the path to it has no branches and
 * consists of opusdec, queue, capsfilter, identity, volume and bins of these. It sends the query again
 * when downstream is reconfigured. jkvmsupervisedsink answers for the sink of its worker, if the path in
 * the worker is such a one too. With latency-mode reported and fixed the delay always changes by frames, because it is not part
 * of the timestamps.
 *
 * ## Policies
 *
 * | policy | playout delay |
 * |---|---|
 * | tail-cost | minimises delay + late-cost × probability of being late, estimated from histograms of the arrivals with different decay times. The default, and recommended |
 * | weighted | weighted-min-frames to weighted-max-frames frames, computed from processor load, memory and latency as in the JetKVM audio system |
 * | fixed | the property delay, above the minimum transit |
 *
 * policy=weighted reproduces the behaviour and the figures of the JetKVM audio system. It does not
 * consider the arrival times: an idle machine gets a delay of 19 frames (380 ms with frames of 20
 * ms), and a busy one, where frames are late, a short delay. weighted-fractional-size and
 * weighted-queue-latency correct two of its defects, but not this one. Use tail-cost for listening.
 *
 * min-delay and max-delay limit the delay of every policy, and the delay never exceeds what
 * max-size-buffers and max-size-time allow. A browser that receives from webrtcbin has an adaptive
 * buffer of its own: with max-delay=80 this queue spreads bursts and leaves the rest to the browser.
 *
 * ## Latency modes
 *
 * | latency-mode | timestamps | reported latency |
 * |---|---|---|
 * | offset | the playout time at this element, contiguous | constant: output-margin. A change of the delay does not affect other elements. Audio lags other streams of the pipeline by `offset` in the statistics |
 * | reported | unchanged | upstream's plus the delay, in steps of 20 ms. A LATENCY message is posted when the delay exceeds it, and when it was too long by 40 ms for a minute; at most one in 10 s. For lip sync |
 * | fixed | unchanged | upstream's plus max-delay and output-margin; the delay is max-delay |
 *
 * The element is live: it pushes buffers in PLAYING only and has no preroll. max-size-buffers,
 * max-size-bytes and max-size-time limit it as they limit the element queue; by default the oldest
 * buffers are dropped. They also limit for how long the queue can hold audio because of the latency of
 * other branches: with the defaults, 500 ms with latency-mode=offset (max-size-time minus max-delay)
 * and 1 s otherwise. After EOS the queued buffers are pushed immediately.
 *
 * ## Optimizing the sender
 *
 * With optimize=true the queue requests a lower encoder load from the sender while frames arrive
 * late, and withdraws the request afterwards. The lateness of a frame is its transit above that of the
 * fastest frame of the last 64 s, or the time by which the oldest frame in the queue is overdue,
 * whichever is more. JetKVM's formula turns it into a level: latency / 50 ms × 1.4, times 1.2 while it
 * increases, 0.8 while it decreases, 1.1 while it is volatile, rounded down. The formula is evaluated
 * every optimize-interval; the level changes when two consecutive evaluations agree, at most once
 * per optimize-cool-down, and a lower level requires a margin of a quarter of a level. An idle stream
 * is not late. With the defaults (5 s, 30 s) the request is withdrawn at most 40 s after the load has
 * ended.
 *
 * | level | complexity | bitrate | frame duration |
 * |---|---|---|---|
 * | 0 | unchanged | unchanged | unchanged |
 * | 1 | 7/8, rounded down | 90 % | unchanged |
 * | 2 | 6/8 | 80 % | unchanged |
 * | 3 | 5/8 | 70 % | unchanged |
 * | 4 | 4/8 | 60 % | unchanged |
 * | 5 | 3/8 | 50 % | at least 20 ms |
 * | 6 | 2/8 | 40 % | at least 20 ms |
 * | 7 | 1/8 | 33 % | at least 40 ms |
 * | 8 | 0 | 25 % | at least 40 ms |
 *
 * The bitrate is not reduced below 16 kbit/s. The encoder's own settings are estimated from its stream
 * at level 0: the frame duration, and the maximum bitrate over five seconds within the last minute of
 * audio. The complexity cannot be observed; it is assumed to be that of the quality of jkvmaudiosrc
 * with the nearest bitrate.
 *
 * The request is the upstream event jkvm-encoder-request; at level 0 it has withdrawn=TRUE.
 * jkvmaudiosrc handles it, in this pipeline, in a jkvmsupervisedsrc, or in another process in front of
 * a jkvmipcsink. When a new stream starts, the queue stops or the connection is closed, the encoder
 * returns to its own settings.
 *
 * |[
 * gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink socket-path=$XDG_RUNTIME_DIR/a.sock
 * gst-launch-1.0 jkvmipcsrc socket-path=$XDG_RUNTIME_DIR/a.sock ! jkvmadaptivequeue optimize=true ! opusdec plc=true ! audioconvert ! autoaudiosink
 * ]|
 *
 * The constants of the optimizer are properties. To restore the values of the JetKVM audio system, set
 * those in the last column:
 *
 * | property | meaning | default | JetKVM |
 * |---|---|---|---|
 * | optimize-interval | time between two evaluations (ms) | 5000 | 5000; 10000 to lower the level |
 * | optimize-cool-down | minimum time between two changes (ms) | 30000 | 30000 |
 * | optimize-target | divisor of the formula (ms) | 50 | 50 |
 * | optimize-evaluations | consecutive evaluations that have to agree | 2 | 1 |
 * | optimize-min-samples | frames before the first change | 10 | 10, for the trend |
 * | optimize-raise-step | maximum change upwards (levels) | 8 | 8 |
 * | optimize-lower-step | maximum change downwards (levels) | 8 | 1 |
 * | optimize-margin | required before the level is lowered (levels) | 0.25 | 0 |
 * | optimize-current-threshold | the level is raised only if the lateness of the last frame (ms), | 0 | 200 |
 * | optimize-average-threshold | the average lateness (ms) | 0 | 90 |
 * | optimize-jitter-threshold | or the jitter (ms) exceeds its threshold; 0 = off, all off = always | 0 | 20 |
 *
 * ## Examples
 *
 * |[
 * gst-launch-1.0 jkvmipcsrc socket-path=$XDG_RUNTIME_DIR/a.sock ! jkvmadaptivequeue ! opusdec plc=true ! audioconvert ! autoaudiosink
 * gst-launch-1.0 -m jkvmipcsrc socket-path=$XDG_RUNTIME_DIR/a.sock ! jkvmadaptivequeue latency-mode=reported max-delay=200 ! opusdec plc=true ! audioconvert ! autoaudiosink
 * ]|
 *
 * ## Statistics
 *
 * The property stats is a structure application/x-jkvm-adaptivequeue-stats with these fields. While
 * buffers flow, it is also logged (INFO) and posted as an element message every stats-interval.
 * Counters never decrease while the element is in PAUSED or PLAYING, and remain readable afterwards.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | policy, latency-mode, adapt | gchararray | the properties |
 * | adapt-in-use | gchararray | frames or slew |
 * | stretch-ppm | gdouble | by how much the duration of the last buffer was stretched, in parts per million; positive while the delay grows; 0 with adapt-in-use=frames |
 * | current-delay | guint64 | of the output above the minimum transit of the last 64 s, ns |
 * | target-delay | guint64 | delay that the policy would choose if a change were free, ns |
 * | offset | gint64 | playout time minus timestamp of a buffer, ns |
 * | depth, depth-time | guint, guint64 | buffers in the queue and their duration, ns |
 * | transit-min, transit-p50, transit-p95, transit-max | gint64 | arrival minus timestamp, of the last 512 buffers, ns |
 * | drift-ppm | gdouble | clock rate difference; positive: the sender's clock is slower than the pipeline's |
 * | frames | guint64 | frames queued |
 * | played | guint64 | frames pushed |
 * | late | guint64 | frames that arrived after their playout time |
 * | underruns | guint64 | times that a frame was missing at its playout time |
 * | concealed | guint64 | total duration concealed in underruns, ns |
 * | inserted | guint64 | concealed to raise the delay although frames were queued (by weighted, fixed and min-delay), ns |
 * | paused | guint64 | filled where the sender sent nothing, ns |
 * | dropped | guint64 | buffers dropped, the sum of the following fields |
 * | dropped-late | guint64 | skipped after an underrun |
 * | dropped-shrink, dropped-shrink-quiet | guint64 | dropped by the policy to reduce the delay; quiet frames are counted separately |
 * | dropped-max-delay | guint64 | dropped because the delay exceeded max-delay |
 * | dropped-overflow | guint64 | oldest buffers dropped because of max-size-... |
 * | dropped-new | guint64 | new buffers dropped, with leaky=upstream |
 * | adaptation_count | guint64 | changes of the delay, for any reason; slewing to one target is one change |
 * | last_adaptation | guint64 | time of the last one, ns since 1970; 0 = never |
 * | input_buffer_size, output_buffer_size | guint | target delay in frames; the same value twice, because this queue may be used in either direction |
 * | system_cpu_percent, system_memory_percent | gdouble | load of the machine, or of the process's control group if that has a limit and is closer to it; the processor's since the previous reading, at least 250 ms before |
 * | average_latency_ms | gdouble | latency in the last step of policy=weighted; 0 with another policy |
 * | cpu-factor, memory-factor, latency-factor, factor | gdouble | factors that policy=weighted computed from the load and the latency, -1 to 1, and their weighted sum |
 * | size | gdouble | size of policy=weighted, frames |
 * | latency-current, -average, -min, -max, -p50, -p95, -p99 | guint64 | time that frames spent in the queue before they were pushed, ns; the quantiles cover about two minutes |
 * | latency-jitter | guint64 | mean absolute deviation of the last 100 latencies from the average, ns |
 * | latency-samples | guint64 | number of latencies measured |
 * | latency-trend | gchararray | direction of the last 10 latencies: stable, increasing, decreasing, volatile |
 * | latency-buckets | GstValueArray of guint64 | frames with a latency of at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or longer; each frame is counted in one bucket |
 * | latency-sum | guint64 | sum of the latencies in latency-buckets, ns |
 * | lateness | guint64 | lateness of the last buffer as used by optimize, ns |
 * | optimization_level | guint | requested reduction of the encoder load, 0 to 8 |
 * | optimization_count | guint64 | changes of that level |
 * | last_optimization | guint64 | time of the last one, ns since 1970; 0 = never |
 * | scheduling | gchararray | what `priority` was granted: normal, nice, fifo |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted per second. Messages that were not posted
 * are counted in the field suppressed (guint) of the next one.
 *
 * The element message jkvm-depth is posted when the delay changes; with slewing, after every 10 ms. Its
 * fields are reason (start, grow, shrink), current-delay, target-delay (guint64, ns) and depth (guint,
 * buffers).
 *
 * jkvm-latency is posted when the average latency (latency-average in the statistics) crosses
 * latency-warning or latency-critical. Its fields are reason (normal, high, critical), current, average,
 * p95 (guint64, ns) and trend (as latency-trend). The reason becomes lower when the average is below 80 %
 * of the threshold, and a second after the last change at the earliest.
 *
 * ## Signals
 *
 * | signal | emitted when |
 * |---|---|
 * | underrun | a buffer is due and the queue is empty |
 * | running | the first buffer, or the first one after an underrun, is pushed |
 * | overrun | the queue has no room for a buffer; `leaky` determines what happens |
 *
 * They are emitted by the streaming threads; with silent=true they are not emitted.
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmadaptivequeue.h"

#include "adaptive_queue.h"
#include "common/element_type.h"

#include <array>

GST_DEBUG_CATEGORY(jkvm_adaptive_queue_debug);
#define GST_CAT_DEFAULT jkvm_adaptive_queue_debug

namespace {

using namespace jkvm;

constexpr std::array signal_names{"underrun", "overrun", "running"}; // in the order of QueueSignal
std::array<guint, signal_names.size()> signal_ids;                   // written by class_init only

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/// Translates between GStreamer's functions and AdaptiveQueue.
class AdaptiveQueueElement {
public:
    explicit AdaptiveQueueElement(GstJkvmAdaptiveQueue *element);

    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    void prepare_state_change(GstStateChange transition);
    void on_message(GstMessage *message) { queue_.on_message(message); }

private:
    void set_up_sink();
    void set_up_src();

    GstElement *element_;
    GstPad *sink_; // both pads are owned by the element
    GstPad *src_;
    AdaptiveQueue queue_;
};

} // namespace

struct _GstJkvmAdaptiveQueue {
    GstElement parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmAdaptiveQueue, gst_jkvm_adaptive_queue, GST_TYPE_ELEMENT,
                    AdaptiveQueueElement)

static void gst_jkvm_adaptive_queue_configure_class(GstJkvmAdaptiveQueueClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_adaptive_queue_debug, "jkvmadaptivequeue", 0,
                            "queue with a playout delay that adapts to jitter");

    auto *object_class = G_OBJECT_CLASS(klass);
    queue_properties().install(object_class);
    AdaptiveQueue::live_properties().install(object_class);
    for (std::size_t i = 0; i < signal_names.size(); ++i)
        signal_ids[i] = g_signal_new(signal_names[i], G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_FIRST,
                                     0, nullptr, nullptr, nullptr, G_TYPE_NONE, 0);

    auto *element_class = GST_ELEMENT_CLASS(klass);
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Adaptive queue", "Generic",
        "Removes jitter from a packet stream with a playout delay that adapts to it",
        "the jkvm developers");

    element_class->post_message = [](GstElement *self, GstMessage *message) noexcept -> gboolean {
        impl(self).on_message(message);
        return GST_ELEMENT_CLASS(gst_jkvm_adaptive_queue_parent_class)->post_message(self, message);
    };
    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        impl(self).prepare_state_change(transition);
        const auto result =
            GST_ELEMENT_CLASS(gst_jkvm_adaptive_queue_parent_class)->change_state(self, transition);
        // Nothing is pushed before PLAYING, so there is no preroll.
        const bool is_to_paused = transition == GST_STATE_CHANGE_READY_TO_PAUSED ||
                                  transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED;
        if (is_to_paused && result == GST_STATE_CHANGE_SUCCESS)
            return GST_STATE_CHANGE_NO_PREROLL;
        return result;
    };
}

namespace {

GstPad *add_pad(GstElement *element, GstStaticPadTemplate &pad_template)
{
    auto *pad = gst_pad_new_from_static_template(&pad_template, pad_template.name_template);
    GST_PAD_SET_PROXY_CAPS(pad);
    gst_element_add_pad(element, pad);
    return pad;
}

AdaptiveQueueElement::AdaptiveQueueElement(GstJkvmAdaptiveQueue *element)
    : element_(GST_ELEMENT(element)), sink_(add_pad(element_, sink_template)),
      src_(add_pad(element_, src_template)),
      queue_(element_, sink_, src_, [](GstElement *self, QueueSignal signal) {
          g_signal_emit(self, signal_ids[static_cast<std::size_t>(signal)], 0);
      })
{
    set_up_sink();
    set_up_src();
}

void AdaptiveQueueElement::set_up_sink()
{
    gst_pad_set_chain_function(sink_, [](GstPad *, GstObject *self, GstBuffer *buffer) noexcept {
        return impl(self).queue_.sink_pad().on_buffer(GstRef<GstBuffer>::adopt(buffer));
    });
    gst_pad_set_event_function(
        sink_, [](GstPad *, GstObject *self, GstEvent *event) noexcept -> gboolean {
            return impl(self).queue_.sink_pad().on_event(GstRef<GstEvent>::adopt(event));
        });
    gst_pad_set_query_function(sink_,
                               [](GstPad *, GstObject *self, GstQuery *query) noexcept -> gboolean {
                                   return impl(self).queue_.sink_pad().on_query(query);
                               });
}

void AdaptiveQueueElement::set_up_src()
{
    gst_pad_set_activatemode_function(
        src_,
        [](GstPad *, GstObject *self, GstPadMode mode, gboolean is_active) noexcept -> gboolean {
            if (mode != GST_PAD_MODE_PUSH)
                return FALSE;
            impl(self).queue_.src_pad().activate(is_active != FALSE);
            return TRUE;
        });
    gst_pad_set_event_function(src_,
                               [](GstPad *, GstObject *self, GstEvent *event) noexcept -> gboolean {
                                   return impl(self).queue_.src_pad().on_event(event);
                               });
    gst_pad_set_query_function(src_,
                               [](GstPad *, GstObject *self, GstQuery *query) noexcept -> gboolean {
                                   return impl(self).queue_.src_pad().on_query(query);
                               });
}

void AdaptiveQueueElement::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    if (!queue_.set_property(value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

void AdaptiveQueueElement::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (!AdaptiveQueue::live_properties().get(queue_, value, spec) &&
        !queue_.get_property(value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

void AdaptiveQueueElement::prepare_state_change(GstStateChange transition)
{
    switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
        queue_.open();
        break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
        queue_.play();
        break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
        queue_.pause();
        break;
    default:
        break;
    }
}

} // namespace
