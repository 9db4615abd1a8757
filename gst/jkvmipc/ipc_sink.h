// SPDX-License-Identifier: LGPL-2.1-or-later
// The implementation of jkvmipcsink: translates buffers into frames, and the events of a
// FrameSender into messages, signals and upstream events.
#pragma once

#include "client_sessions.h"
#include "common/element_message.h"
#include "common/stats_report.h"
#include "core/base/guarded.h"
#include "core/base/rate_limit.h"
#include "core/ipc/send/frame_sender.h"
#include "demand_report.h"
#include "gstjkvmipcsink.h"
#include "ipc_sink_settings.h"

#include <gst/base/gstbasesink.h>

#include <memory>
#include <span>
#include <string>

GST_DEBUG_CATEGORY_EXTERN(jkvm_ipc_sink_debug);

namespace jkvm {

class IpcSink final : public FrameSender::Observer {
public:
    explicit IpcSink(GstJkvmIpcSink *element);

    /// The ids of the signals; set once, by class_init.
    struct Signals {
        guint client_connecting;
        guint client_added;
        guint client_removed;
    };
    static inline Signals signals{};

    /// The read-only properties.
    static const PropertyTable<IpcSink> &live_properties();
    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();
    bool set_caps(const GstCaps *caps);
    /// Streaming thread: reports the demand to sources that may not know it. Must be called after
    /// the base class has handled the event.
    void repeat_demand() { demand_.repeat(); }
    GstFlowReturn render(GstBuffer *buffer);
    /// Streaming thread: precedes event() of the base class. Returns whether repeat_demand() has to
    /// be called after it.
    bool on_event(GstEvent *event);

    bool may_connect(const PeerInfo &peer) override;
    void on_peer_added(const PeerInfo &peer) override;
    void on_peer_removed(const PeerTable::Removal &removal) override;
    void on_peer_unreachable(const Error &error) override;
    void on_encoder_request(const std::optional<wire::SettingsRequest> &request) override;

private:
    struct Session {
        std::unique_ptr<FrameSender> sender; // exists between READY and PAUSED
        wire::SourceState source;            // as upstream describes it
        FrameSender::Stats last;             // of the previous sender
        guint64 dropped_invalid = 0;
        guint64 dropped_too_large = 0;
        guint64 muted = 0;
        std::size_t max_packet = 0; // of the dialect (bytes)
        nanoseconds max_queue_time{0};
        nanoseconds frame_duration{0}; // of the last frame
        Codec codec = Codec::opus;     // of the caps
    };

    void report_source_state();
    void post_link(const char *reason, const std::string &detail);
    void send(GstBuffer *buffer, std::span<const std::byte> packet);
    std::optional<nanoseconds> running_time(GstBuffer *buffer) const;
    WallTime capture_time(GstBuffer *buffer, nanoseconds duration) const;
    void log_dropped_frames(unsigned frames, const char *reason);
    GstStructure *stats() const;
    void post_stats_when_due();

    GstElement *element_;
    GstBaseSink *sink_;
    ElementMessages clients_;
    ElementMessages link_;
    ClientSessions sessions_;
    DemandReport demand_;
    // Set before the sender starts.
    bool is_listening_ = false;
    std::string path_;
    StatsReport report_;
    Guarded<IpcSinkSettings> settings_;
    Guarded<Session> session_; // locked before settings_ and the sender's own lock
    RateLimit drop_warnings_{std::chrono::seconds(1)}; // streaming thread
};

} // namespace jkvm
