// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmadaptivequeue
 * @title: jkvmadaptivequeue
 * @short_description: a queue of packets whose playout delay follows what it measures
 *
 * Packets of a live stream arrive unevenly. This queue plays them evenly, with as little delay as
 * pays: it measures how late each one is, and picks the delay at which delay and late frames
 * together cost least. It is made for Opus, and takes any stream of packets that have a duration.
 *
 * Put `opusdec plc=true` behind it. Where a frame is missing when it is due, this queue sends a GAP
 * event in the steps in which the codec can conceal (2.5 ms in CELT packets, 10 ms in SILK and
 * hybrid ones), and opusdec makes up what fits between its neighbours; opusdec's default is
 * plc=false, and then each GAP is a hole of silence, which clicks. The delay grows only inside such
 * a hole, where it costs nothing extra, and shrinks by leaving a whole frame out when that pays,
 * quiet frames first. After 100 ms without a frame nothing more is concealed; the rest is one GAP
 * when there is a frame again. Pauses of the sender (its timestamps have a hole, or upstream sends
 * GAP events) are no underruns. A hole of more than 5 s is not filled, and the buffer behind it is
 * DISCONT.
 *
 * ## Policies
 *
 * | policy | the delay |
 * |---|---|
 * | tail-cost | minimises delay + late-cost × the probability of being late, from histograms of the arrivals that forget at different speeds. The default, and the one to use |
 * | weighted | a number of frames, weighted-min-frames to weighted-max-frames, from processor load, memory and latency, as the JetKVM audio system computes it |
 * | fixed | the property delay, above the least transit |
 *
 * policy=weighted is there for those who need the original's behaviour and its figures. It does not
 * look at when frames arrive: an idle machine goes to 19 frames, which is 380 ms with frames of 20
 * ms, and a busy one, where frames come late, to few. weighted-fractional-size and
 * weighted-queue-latency mend two of its faults, not that one. For sound that somebody listens to,
 * use tail-cost.
 *
 * min-delay and max-delay limit all of them, and the delay is never more than max-size-buffers and
 * max-size-time let into the queue. In front of webrtcbin the browser has an adaptive
 * buffer of its own: max-delay=80 leaves the spreading of bursts to this one and the rest to that.
 *
 * ## Latency modes
 *
 * | latency-mode | timestamps | reported latency |
 * |---|---|---|
 * | offset | when the buffer is due here; each follows the last without a hole | output-margin, always; a change of the delay concerns nobody. Sound is behind other streams of the pipeline by the offset of the statistics |
 * | reported | as they came | upstream's and the delay, in steps of 20 ms. A LATENCY message goes out when the delay has grown beyond it, and when it has been too long by 40 ms for a minute; one in 10 s at most. For lip-sync |
 * | fixed | as they came | upstream's, max-delay and output-margin; the delay is max-delay |
 *
 * It is a live element: it plays in PLAYING only and has no preroll. The properties max-size-buffers,
 * max-size-bytes and max-size-time limit it as they limit the element queue; by default what is
 * oldest leaks. After an EOS what is queued plays at once.
 *
 * ## Optimizing the sender
 *
 * With optimize=true the queue asks the sender's encoder to do less while its sound comes late, and lets
 * it go when that is over. Late is what a frame took longer than the fastest one of the last 64 s; or by
 * how much the oldest frame in the queue is overdue, if nobody takes it. JetKVM's formula makes of that a
 * level: latency / 50 ms × 1.4, times 1.2 when it increases, 0.8 when it decreases, 1.1 when it is
 * volatile, rounded down. Every optimize-interval it is asked; the level follows when two answers in a row
 * agree, at most once in optimize-cool-down, and a lower one must be clear by a quarter of a level. While
 * nothing comes, nothing is late. With the defaults (5 s, 30 s) the encoder is let go 40 s after the load
 * has ended, at the latest.
 *
 * | level | complexity | bitrate | frame |
 * |---|---|---|---|
 * | 0 | its own | its own | its own |
 * | 1 | 7/8 of its own, rounded down | 90 % | its own |
 * | 2 | 6/8 | 80 % | its own |
 * | 3 | 5/8 | 70 % | its own |
 * | 4 | 4/8 | 60 % | its own |
 * | 5 | 3/8 | 50 % | 20 ms or longer |
 * | 6 | 2/8 | 40 % | 20 ms or longer |
 * | 7 | 1/8 | 33 % | 40 ms or longer |
 * | 8 | 0 | 25 % | 40 ms or longer |
 *
 * The bitrate is not lowered below 16 kbit/s. What the encoder does by itself is seen in its stream at
 * level 0: the length of a frame, and the most that five seconds of sound took in the last minute. The
 * complexity does not show: it is taken to be that of the quality of jkvmaudiosrc whose bitrate is next.
 *
 * The request is the upstream event jkvm-encoder-request; at level 0 it has withdrawn=TRUE. jkvmaudiosrc
 * in this pipeline or in a jkvmsupervisedsrc hears it, and one in another process if the socket speaks v2
 * or v3: jkvmipcsink dialect=v2 there, jkvmipcsrc dialect=v2 here. Whenever another stream begins, the
 * queue ends or the connection does, the encoder is at its own settings again.
 *
 * |[
 * gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink dialect=v2 socket-path=/tmp/a.sock
 * gst-launch-1.0 jkvmipcsrc dialect=v2 socket-path=/tmp/a.sock ! jkvmadaptivequeue optimize=true ! opusdec plc=true ! audioconvert ! autoaudiosink
 * ]|
 *
 * ## Examples
 *
 * |[
 * gst-launch-1.0 jkvmipcsrc socket-path=/tmp/a.sock ! jkvmadaptivequeue ! opusdec plc=true ! audioconvert ! autoaudiosink
 * gst-launch-1.0 -m jkvmipcsrc socket-path=/tmp/a.sock ! jkvmadaptivequeue latency-mode=reported max-delay=200 ! opusdec plc=true ! audioconvert ! autoaudiosink
 * ]|
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-adaptivequeue-stats in the property stats has these fields; once in
 * stats-interval it is logged (INFO) and posted as an element message too, with a frame. Counters only
 * grow while the element is in PAUSED or PLAYING, and stay readable after.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | policy, latency-mode | gchararray | as set |
 * | current-delay | guint64 | of the output above the least transit of the last minute, ns |
 * | target-delay | guint64 | that the policy would choose if a change were free, ns |
 * | offset | gint64 | output time minus timestamp of a buffer, ns |
 * | depth, depth-time | guint, guint64 | buffers in the queue, and their length in ns |
 * | transit-min, transit-p50, transit-p95, transit-max | gint64 | arrival minus timestamp, of the last 512 buffers, ns |
 * | drift-ppm | gdouble | how slow the sender's clock is against ours |
 * | frames | guint64 | that arrived and were queued |
 * | played | guint64 | of these |
 * | late | guint64 | of these: arrived after they were due |
 * | underruns | guint64 | times that a frame was due and not there |
 * | concealed | guint64 | how long, in underruns, ns |
 * | inserted | guint64 | concealed to raise the delay while frames were there (by weighted, fixed and min-delay), ns |
 * | paused | guint64 | filled because the sender had nothing, ns |
 * | dropped | guint64 | buffers, the sum of those below |
 * | dropped-late | guint64 | passed over after an underrun |
 * | dropped-shrink, dropped-shrink-quiet | guint64 | left out to lower the delay; of these counted apart: those that are hardly missed |
 * | dropped-max-delay | guint64 | the same, because of max-delay |
 * | dropped-overflow | guint64 | the oldest, because of max-size-... |
 * | dropped-new | guint64 | not queued, with leaky=upstream |
 * | adaptation_count | guint64 | changes of the delay, of whatever cause |
 * | last_adaptation | guint64 | when the last one was, ns since 1970; 0 = never |
 * | input_buffer_size, output_buffer_size | guint | the delay aimed at, in frames; the same number twice, for this queue may stand on either way |
 * | system_cpu_percent, system_memory_percent, average_latency_ms | gdouble | what policy=weighted computed its last size from; 0 with another policy |
 * | cpu-factor, memory-factor, latency-factor, factor | gdouble | what it made of them, -1 to 1, and their weighted sum |
 * | size | gdouble | of policy=weighted, in frames |
 * | latency-current, -average, -min, -max, -p50, -p95, -p99 | guint64 | how long a frame stood in the queue before it played, ns; the quantiles over about two minutes |
 * | latency-jitter | guint64 | mean distance of the last 100 of these latencies from the average, ns |
 * | latency-samples | guint64 | frames that the latencies are of |
 * | latency-trend | gchararray | where the last 10 latencies go: stable, increasing, decreasing, volatile |
 * | latency-buckets | GstValueArray of guint64 | how many frames took at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or longer, each counted in one place |
 * | latency-sum | guint64 | of the latencies in latency-buckets, ns |
 * | lateness | guint64 | how late the last buffer came, as optimize sees it, ns |
 * | optimization_level | guint | how much the encoder is asked to save, 0 to 8 |
 * | optimization_count | guint64 | changes of that level |
 * | last_optimization | guint64 | when the last one was, ns since 1970; 0 = never |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted a second; the next one says in its
 * field suppressed (guint) how many were not.
 *
 * The element message jkvm-depth says that the delay has changed: reason (start, grow, shrink),
 * current-delay, target-delay (guint64, ns), depth (guint, buffers).
 *
 * ## Signals
 *
 * | signal | when |
 * |---|---|
 * | underrun | a buffer is due and none is there |
 * | running | a buffer plays, after that and at first |
 * | overrun | there is no room for a buffer: the oldest ones go, or what leaky says |
 *
 * They come from the streaming threads, and not at all with silent=true.
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmadaptivequeue.h"

#include "adaptive_queue.h"
#include "common/element_type.h"
#include "common/properties.h"

#include <array>

GST_DEBUG_CATEGORY(jkvm_adaptive_queue_debug);
#define GST_CAT_DEFAULT jkvm_adaptive_queue_debug

namespace {

using namespace jkvm;

enum Property : guint {
    property_current_delay = QueueSettings::own,
    property_target_delay,
    property_current_level_buffers,
    property_current_level_bytes,
    property_current_level_time,
    property_stats,
};

constexpr std::array signal_names{"underrun", "overrun", "running"}; // as AdaptiveQueue::Signal
std::array<guint, signal_names.size()> signal_ids;                   // set once, by class_init

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

class AdaptiveQueueElement {
public:
    explicit AdaptiveQueueElement(GstJkvmAdaptiveQueue *element);

    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    void before_state_change(GstStateChange transition);

private:
    void set_up_sink();
    void set_up_src();
    bool handle_sink_event(GstEvent *event);
    bool handle_sink_query(GstPad *pad, GstQuery *query);
    bool handle_src_event(GstPad *pad, GstEvent *event);
    bool handle_src_query(GstPad *pad, GstQuery *query);

    GstElement *element_;
    GstPad *sink_; // the element owns both pads
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
                            "queue whose delay follows what it measures");

    auto *object_class = G_OBJECT_CLASS(klass);
    QueueSettings::install(object_class);
    g_object_class_install_property(
        object_class, property_current_delay,
        g_param_spec_uint64("current-delay", "Current delay",
                            "Delay of the output above the least transit of the last minute, in "
                            "nanoseconds",
                            0, G_MAXUINT64, 0, read_only));
    g_object_class_install_property(
        object_class, property_target_delay,
        g_param_spec_uint64("target-delay", "Target delay",
                            "Delay that the policy would choose if a change were free, in "
                            "nanoseconds",
                            0, G_MAXUINT64, 0, read_only));
    g_object_class_install_property(object_class, property_current_level_buffers,
                                    g_param_spec_uint("current-level-buffers", "Buffers now",
                                                      "Buffers in the queue", 0, G_MAXUINT, 0,
                                                      read_only));
    g_object_class_install_property(object_class, property_current_level_bytes,
                                    g_param_spec_uint("current-level-bytes", "Bytes now",
                                                      "Bytes in the queue", 0, G_MAXUINT, 0,
                                                      read_only));
    g_object_class_install_property(object_class, property_current_level_time,
                                    g_param_spec_uint64("current-level-time", "Time now",
                                                        "Sound in the queue, in nanoseconds", 0,
                                                        G_MAXUINT64, 0, read_only));
    g_object_class_install_property(object_class, property_stats,
                                    g_param_spec_boxed("stats", "Statistics",
                                                       "Counters, and times in nanoseconds",
                                                       GST_TYPE_STRUCTURE, read_only));
    for (std::size_t i = 0; i < signal_names.size(); ++i)
        signal_ids[i] = g_signal_new(signal_names[i], G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_FIRST,
                                     0, nullptr, nullptr, nullptr, G_TYPE_NONE, 0);

    auto *element_class = GST_ELEMENT_CLASS(klass);
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Adaptive queue", "Generic",
        "Plays packets evenly, with a delay that follows what it measures", "the jkvm developers");

    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        impl(self).before_state_change(transition);
        const auto result =
            GST_ELEMENT_CLASS(gst_jkvm_adaptive_queue_parent_class)->change_state(self, transition);
        // Nothing comes out before PLAYING: nobody is to wait for it.
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
      queue_(element_, sink_, src_, [](GstElement *self, AdaptiveQueue::Signal signal) {
          g_signal_emit(self, signal_ids[static_cast<std::size_t>(signal)], 0);
      })
{
    set_up_sink();
    set_up_src();
}

void AdaptiveQueueElement::set_up_sink()
{
    gst_pad_set_chain_function(sink_, [](GstPad *, GstObject *self, GstBuffer *buffer) noexcept {
        return impl(self).queue_.take_buffer(GstRef<GstBuffer>::adopt(buffer));
    });
    gst_pad_set_event_function(sink_,
                               [](GstPad *, GstObject *self, GstEvent *event) noexcept -> gboolean {
                                   return impl(self).handle_sink_event(event);
                               });
    gst_pad_set_query_function(
        sink_, [](GstPad *pad, GstObject *self, GstQuery *query) noexcept -> gboolean {
            return impl(self).handle_sink_query(pad, query);
        });
}

void AdaptiveQueueElement::set_up_src()
{
    gst_pad_set_activatemode_function(
        src_,
        [](GstPad *, GstObject *self, GstPadMode mode, gboolean is_active) noexcept -> gboolean {
            if (mode != GST_PAD_MODE_PUSH)
                return FALSE;
            impl(self).queue_.activate_src(is_active != FALSE);
            return TRUE;
        });
    gst_pad_set_event_function(
        src_, [](GstPad *pad, GstObject *self, GstEvent *event) noexcept -> gboolean {
            return impl(self).handle_src_event(pad, event);
        });
    gst_pad_set_query_function(
        src_, [](GstPad *pad, GstObject *self, GstQuery *query) noexcept -> gboolean {
            return impl(self).handle_src_query(pad, query);
        });
}

void AdaptiveQueueElement::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    if (!queue_.set(id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

void AdaptiveQueueElement::get_property(guint id, GValue *value, GParamSpec *spec)
{
    const auto set_time = [value](nanoseconds time) {
        g_value_set_uint64(value, static_cast<guint64>(std::max(time, nanoseconds(0)).count()));
    };
    switch (id) {
    case property_current_delay:
        set_time(queue_.playout_stats().delay);
        break;
    case property_target_delay:
        set_time(queue_.playout_stats().target_delay);
        break;
    case property_current_level_buffers:
        g_value_set_uint(value, queue_.level().buffers);
        break;
    case property_current_level_bytes:
        g_value_set_uint(value, queue_.level().bytes);
        break;
    case property_current_level_time:
        set_time(queue_.level().time);
        break;
    case property_stats:
        g_value_take_boxed(value, queue_.stats());
        break;
    default:
        if (!queue_.get(id, value))
            G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    }
}

void AdaptiveQueueElement::before_state_change(GstStateChange transition)
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

bool AdaptiveQueueElement::handle_sink_event(GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START: {
        const bool result = gst_pad_push_event(src_, event) != FALSE;
        queue_.start_flush();
        return result;
    }
    case GST_EVENT_FLUSH_STOP: {
        gboolean resets_time = FALSE;
        gst_event_parse_flush_stop(event, &resets_time);
        const bool result = gst_pad_push_event(src_, event) != FALSE;
        queue_.stop_flush(resets_time != FALSE);
        return result;
    }
    default:
        if ((gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_SERIALIZED) != 0)
            return queue_.take_event(GstRef<GstEvent>::adopt(event));
        return gst_pad_push_event(src_, event) != FALSE;
    }
}

bool AdaptiveQueueElement::handle_sink_query(GstPad *pad, GstQuery *query)
{
    if ((gst_query_type_get_flags(GST_QUERY_TYPE(query)) & GST_QUERY_TYPE_SERIALIZED) != 0)
        return queue_.take_query(query);
    return gst_pad_query_default(pad, GST_OBJECT(element_), query) != FALSE;
}

bool AdaptiveQueueElement::handle_src_event(GstPad *pad, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE)
        queue_.reconfigure();
    return gst_pad_event_default(pad, GST_OBJECT(element_), event) != FALSE;
}

bool AdaptiveQueueElement::handle_src_query(GstPad *pad, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, GST_OBJECT(element_), query) != FALSE;
    if (gst_pad_peer_query(sink_, query) == FALSE)
        return false;
    queue_.answer_latency(query);
    return true;
}

} // namespace
