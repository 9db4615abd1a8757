// SPDX-License-Identifier: LGPL-2.1-or-later
// The data that the threads of jkvmadaptivequeue share.
#pragma once

#include "buffer_classifier.h"
#include "buffer_store.h"
#include "common/element_message.h"
#include "core/base/guarded.h"
#include "core/optimizer/encoder_load_controller.h"
#include "core/playout/playout.h"
#include "core/stats/latency_monitor.h"
#include "core/stats/latency_watch.h"
#include "core/timing/queue_latency_report.h"
#include "loss_report.h"
#include "output_timeline.h"
#include "queue_settings.h"
#include "serialized_items.h"
#include "stream_clock.h"

#include <condition_variable>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

namespace jkvm {

/// Lives in a Guarded<>. The mutex is not held in any call into GStreamer that could re-enter the
/// element; the locks of clocks and objects are taken after it.
struct QueueState {
    struct Answer {
        GstQuery *query;
        bool result;
    };

    /// `load` is borrowed.
    QueueState(GstElement *element, SystemLoad &load);

    /// Applies `settings` to all parts.
    void configure();
    /// Prepares for another session: READY to PAUSED.
    void open();
    /// The buffers that follow belong to a new stream, possibly of another sender.
    void begin_stream();
    /// Resets everything that belongs to the stream except its caps, which survive a flush.
    void reset_stream();
    /// Discards the queue's contents. Returns the events.
    std::vector<GstRef<GstEvent>> clear();

    /// Queues a buffer. Returns the number of buffers that were dropped because of the limits.
    std::size_t push(GstRef<GstBuffer> buffer, const BufferClassifier::Classified &classified,
                     nanoseconds now);
    /// The first serialized item, if no buffer is ahead of it.
    [[nodiscard]] const SerializedItems::Item *due_item() const;

    /// Latency that this element adds.
    [[nodiscard]] nanoseconds own_latency() const;
    /// Duration of the audio that the limits let into the queue, with frames of that duration.
    [[nodiscard]] nanoseconds capacity(nanoseconds frame_duration) const;
    /// Upper bound of the playout delay: max-delay, as far as the queue can hold it.
    [[nodiscard]] nanoseconds maximum_delay() const;
    /// The terms that the answer to a latency query depends on, besides upstream's answer.
    [[nodiscard]] auto latency_terms() const
    {
        return std::tuple(own_latency(), capacity(classifier.last_duration()), maximum_delay(),
                          settings.leak);
    }
    /// Adds this element's part to upstream's answer. docs/internals/timestamps.md has the
    /// formulas.
    void answer_latency(GstQuery *query) const;
    [[nodiscard]] nanoseconds initial_latency() const;

    /// The event jkvm-encoder-request to send upstream; null if there is none.
    GstRef<GstEvent> take_encoder_request();
    /// Position in the source pad's segment; none if the segment does not contain it.
    [[nodiscard]] GstClockTime position_of(nanoseconds running_time) const;

    QueueSettings settings;
    StreamClock clock;
    SystemLoad &load;
    std::optional<Playout> playout; // never empty
    BufferStore buffers;            // by the handles in playout
    SerializedItems items;
    EncoderLoadController encoder_load;
    LatencyMonitor latency; // of played buffers, since their arrival
    LatencyWatch latency_watch;
    BufferClassifier classifier;
    OutputTimeline timeline{true};
    QueueLatencyReport latency_report; // for LatencyMode::reported
    nanoseconds pipeline_latency{0};   // from the last LATENCY event
    LossReport losses;

    std::condition_variable changed;        // notified on room, an answer or a change of `flow`
    GstFlowReturn flow = GST_FLOW_FLUSHING; // last result of the source pad's task
    bool has_eos = false;                   // an EOS event was queued
    bool has_passed_eos = false;            // and was pushed downstream
    GstQuery *query_in_progress = nullptr;  // taken from `items` by the task
    std::optional<Answer> answer;           // for the thread that waits for it
    std::uint64_t dropped_new = 0;          // buffers, with leaky=upstream

    // Written by the source pad's task.
    bool sink_follows = false;    // the sink's timestamps, see common/timestamp_following.h
    bool is_sink_queried = false; // reset by any thread to have the sink queried again
    bool awaits_arrival = false;  // the task has no deadline to wait for
    GstSegment src_segment{};
    bool is_dry = true;                     // no buffer was played since the start or an underrun
    bool is_discont = true;                 // the next buffer follows a discontinuity
    std::optional<nanoseconds> last_offset; // output time minus media time of the last buffer
    nanoseconds reported_delay{0};          // as jkvm-depth last reported it while slewing
    nanoseconds next_latency_check{0};
};

using QueueAccess = Guarded<QueueState>::Access<QueueState>;

enum class QueueSignal { underrun, overrun, running };

/// The parts that both pads use. All pointers are borrowed and outlive this object.
struct QueueContext {
    GstElement *const element;
    GstPad *const sink;
    GstPad *const src;
    /// Must be called without a lock.
    void (*const emit)(GstElement *element, QueueSignal signal);
    /// Must be measured without a lock, because that reads files.
    LoadGauge *const load;
    mutable Guarded<QueueState> state; // mutable like a mutex: reading it locks it
};

[[nodiscard]] inline bool is_sticky(GstEventType type)
{
    return (gst_event_type_get_flags(type) & GST_EVENT_TYPE_STICKY) != 0;
}

/// Whether this result has to be reported by an error message if it follows an EOS event, because
/// no further buffer will return it to upstream.
[[nodiscard]] inline bool is_failure(GstFlowReturn flow)
{
    return flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
}

/// Stores the sticky events among those that were discarded: they apply to the pad even though they
/// were not pushed. Must be called without a lock.
void keep_sticky(GstPad *src, const std::vector<GstRef<GstEvent>> &events);

} // namespace jkvm
