// SPDX-License-Identifier: LGPL-2.1-or-later
// The implementation of jkvmipcsrc: translates the events of a ReceiveEngine into buffers, events
// and messages.
#pragma once

#include "capture_time_meta.h"
#include "common/element_message.h"
#include "common/interrupted_create.h"
#include "common/packet_pool.h"
#include "common/stats_report.h"
#include "core/base/guarded.h"
#include "core/base/rate_limit.h"
#include "core/ipc/receive/receive_engine.h"
#include "core/optimizer/encoder_request_completion.h"
#include "gstjkvmipcsrc.h"
#include "ipc_src_settings.h"
#include "session_messages.h"

#include <gst/base/gstpushsrc.h>

#include <atomic>
#include <optional>
#include <string>

GST_DEBUG_CATEGORY_EXTERN(jkvm_ipc_src_debug);

namespace jkvm {

class IpcSrc {
public:
    explicit IpcSrc(GstJkvmIpcSrc *element);

    /// The id of the signal client-connecting; set once, by class_init.
    static inline guint client_connecting_signal = 0;

    /// The read-only properties.
    static const PropertyTable<IpcSrc> &live_properties();
    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();
    void unlock() { engine_.interrupt(); }
    void unlock_stop()
    {
        was_unlocked_ = true;
        engine_.resume();
    }
    /// Discards frames that were sent while the pipeline was paused, because they are outdated.
    void restart() { engine_.restart(); }
    /// Describes the source to downstream, unless that knows the state already.
    void push_source_state(const wire::SourceState &state);
    bool set_caps();
    /// Any thread: precedes send_event() of the base class.
    void announce_pause(const Pause &pause) { engine_.announce_pause(pause); }
    void on_send_event(const GstEvent *event) { interrupted_create_.on_send_event(event); }
    /// Handles an event for which is_encoder_request() is true. Returns false if it is invalid and
    /// was refused with a warning.
    bool handle_encoder_request(GstEvent *event);
    /// Precedes post_message() of the base class.
    void on_message(GstMessage *message);
    GstFlowReturn create(GstBuffer **buffer);
    bool answer_latency(GstQuery *query) const;

private:
    // Exists between READY and PAUSED; used by the streaming thread.
    struct Session {
        PacketPool pool;
        CaptureTimeMeta capture_time;
        std::string path;
        bool is_listening;
        PeerInfo peer = {};                  // the last one that connected
        std::optional<PeerInfo> talker = {}; // if it sent a frame and no Stop after it
        bool has_pushed = false;             // a buffer; the caps do not change afterwards
        LatencyWatch latency_watch = {};
        wire::SourceState pushed_state = {}; // the one that downstream knows
    };

    GstFlowReturn wait_playing();
    // One overload for each event of the engine. GST_FLOW_OK: `buffer` is set;
    // GST_FLOW_CUSTOM_SUCCESS: wait for the next event.
    GstFlowReturn on_event(const ReceiveEngine::Frame &frame, GstBuffer **buffer);
    void on_event(const ReceiveEngine::Dropped &dropped);
    void on_event(const ReceiveEngine::Connected &connected);
    void on_event(const ReceiveEngine::Unreachable &unreachable);
    void on_event(const ReceiveEngine::Rejected &rejected);
    GstFlowReturn on_event(const ReceiveEngine::Disconnected &disconnected);
    void on_event(const ReceiveEngine::SessionEnded &ended);
    void on_event(const ReceiveEngine::SourceChanged &changed);

    void log_loss(const ReceiveEngine::Frame &frame);
    GstRef<GstBuffer> make_buffer(const ReceiveEngine::Frame &frame);
    void push_gap(const Gap &gap);
    void announce_latency();
    void post_stats_when_due();
    void post_latency_change();
    void apply_requested_settings();
    void warn_of_unsupported_request();
    struct EncoderRequests;
    void request_settings(const EncoderRequests &requests);
    void send_due_request();
    void send_due_request(EncoderRequestCompletion &requests);
    void send_request(const EncoderRequestCompletion::Request &request);
    GstStructure *stats() const;

    GstElement *element_;
    GstBaseSrc *src_;
    InterruptedCreate interrupted_create_;
    ElementMessages link_;
    SessionMessages sessions_;
    LatencyMessages latency_messages_;
    Guarded<IpcSrcSettings> settings_;
    Guarded<PacketPool::Monitor> pool_monitor_;
    StatsReport report_;
    StreamPriority priority_;
    std::atomic<bool> was_unlocked_ = false; // by a flush or a pause
    ReceiveEngine engine_;
    std::atomic<bool> is_open_ = false;
    // Since open(): the warning is posted once.
    std::atomic<bool> has_warned_of_request_ = false;
    std::atomic<std::uint64_t> muted_ = 0;                // frames, since open()
    wire::Direction direction_ = wire::Direction::output; // set before is_open_
    struct EncoderRequests {
        EncoderRequestCompletion completion;
        std::optional<std::uint32_t> packet_loss_percentage; // of events
    };
    Guarded<EncoderRequests> requests_; // locked before settings_
    std::optional<Session> session_;
    // Streaming thread.
    nanoseconds announced_latency_{0};
    RateLimit loss_warnings_{std::chrono::seconds(1)};
    RateLimit drop_warnings_{std::chrono::seconds(1)};
};

} // namespace jkvm
