// SPDX-License-Identifier: LGPL-2.1-or-later
// What jkvmadaptivequeue does, between its two pads.
#pragma once

#include "buffer_classifier.h"
#include "common/element_message.h"
#include "common/stats_report.h"
#include "core/optimizer/encoder_saver.h"
#include "core/playout/playout.h"
#include "core/stats/latency_monitor.h"
#include "core/timing/queue_latency_report.h"
#include "item_queue.h"
#include "output_timeline.h"
#include "queue_settings.h"
#include "stream_clock.h"

#include <condition_variable>
#include <mutex>
#include <vector>

namespace jkvm {

/// What comes in at the sink pad waits in an ItemQueue. The task of the source pad asks a Playout
/// when a buffer is to play and does what it says; events and queries go on when all that stood
/// before them has.
class AdaptiveQueue {
public:
    enum class Signal { underrun, overrun, running };
    /// Called with no lock held, from the streaming threads.
    using EmitSignal = void (*)(GstElement *element, Signal signal);

    /// All are borrowed and outlive this.
    AdaptiveQueue(GstElement *element, GstPad *sink, GstPad *src, EmitSignal emit);

    // --- any thread ---

    /// False: no such setting.
    bool set(guint id, const GValue *value);
    bool get(guint id, GValue *value);
    ItemQueue::Level level();
    PlayoutStats playout_stats();
    GstStructure *stats();
    /// Makes our answer from the one of upstream.
    void answer_latency(GstQuery *query);

    // --- state changes ---

    void open();
    void play();
    void pause();
    void activate_src(bool is_active);

    // --- the sink pad's streaming thread ---

    GstFlowReturn take_buffer(GstRef<GstBuffer> buffer);
    /// A serialized one. False when it was refused.
    bool take_event(GstRef<GstEvent> event);
    /// A serialized one: waits until it was answered at its place.
    bool take_query(GstQuery *query);
    void start_flush();
    /// `resets_time`: the pipeline's running time begins anew, too.
    void stop_flush(bool resets_time);

    /// Downstream may have been linked again.
    void reconfigure();

private:
    /// What is to be told once the lock is released.
    struct PendingSignals {
        bool underrun = false;
        bool running = false;
        bool latency = false;
        bool stats = false;
        const char *depth = nullptr; ///< the reason, of a message jkvm-depth
    };
    using Lock = std::unique_lock<std::mutex>;

    void start_task();
    void loop();
    void step(Lock &lock, PendingSignals &news);
    void end_task(Lock &lock);
    void announce(const PendingSignals &news);

    /// What has to be asked of the sender's encoder; null when there is nothing.
    GstRef<GstEvent> take_encoder_request();
    void wait_for_arrival(Lock &lock);
    void pass_event_on(Lock &lock);
    void pass_gap_on(Lock &lock);
    void pass_query_on(Lock &lock);
    void act(const Playout::Action &action, nanoseconds now, Lock &lock, PendingSignals &news);
    void play(const Playout::Play &play, nanoseconds now, Lock &lock, PendingSignals &news);
    void push_gap(const std::optional<OutputTimeline::Gap> &gap, Lock &lock);
    void push_event(GstRef<GstEvent> event, Lock &lock);

    static bool is_sticky(GstEventType type)
    {
        return (gst_event_type_get_flags(type) & GST_EVENT_TYPE_STICKY) != 0;
    }
    /// Of which upstream must hear. No buffer carries it there once an EOS came.
    static bool is_failure(GstFlowReturn flow)
    {
        return flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
    }
    [[nodiscard]] bool has_room_for(const PlayoutFrame &frame, gsize size) const;
    void drop_oldest_items(std::size_t count);
    void forget_stream();
    void begin_stream();
    void emit_overrun(Lock &lock);
    /// Returns the events.
    std::vector<GstRef<GstEvent>> clear_items();
    /// Sticky events count even where they never got to their place. Without the lock.
    void keep_sticky(const std::vector<GstRef<GstEvent>> &events);
    void note(GstEvent *event);
    [[nodiscard]] GstClockTime position_of(nanoseconds running_time) const;
    [[nodiscard]] nanoseconds latency_needed_at_start() const;
    [[nodiscard]] nanoseconds own_latency() const;
    void update_latency(nanoseconds now, PendingSignals &news);

    GstElement *const element_;
    GstPad *const sink_;
    GstPad *const src_;
    const EmitSignal emit_;
    ElementMessages depth_;    // has a lock of its own; used without ours
    StatsReport stats_report_; // the task's

    // Guards all that follows. Held for no call that could come back to us; a clock's and an
    // object's own locks come after it.
    std::mutex mutex_;
    std::condition_variable changed_; // room, an answer, or flow_
    QueueSettings settings_;
    StreamClock clock_;
    ItemQueue items_;
    ProcSystemLoad load_;
    std::optional<Playout> playout_; // always there
    EncoderSaver saver_;
    LatencyMonitor latency_; // of what has played, from its arrival on
    BufferClassifier reader_;
    OutputTimeline line_{true};
    QueueLatencyReport report_; // with LatencyMode::reported

    GstFlowReturn flow_ = GST_FLOW_FLUSHING; // what the task met downstream
    bool has_eos_ = false;                   // an EOS event was taken ...
    bool passed_eos_ = false;                // ... and passed on
    GstQuery *query_in_hand_ = nullptr;      // the task has it
    struct Answer {
        GstQuery *query;
        bool result;
    };
    std::optional<Answer> answer_;  // for the thread that waits for it
    std::uint64_t dropped_new_ = 0; // buffers, with leaky=upstream

    // The task's.
    bool awaits_arrival_ = false; // it has nothing else to wait for
    GstSegment src_segment_{};
    bool is_dry_ = true;                     // nothing has played since an underrun, or at all
    bool is_discont_ = true;                 // something is missing before the next buffer
    std::optional<nanoseconds> last_offset_; // output time minus media time, of the last buffer
    nanoseconds next_latency_check_{0};
};

} // namespace jkvm
