// SPDX-License-Identifier: LGPL-2.1-or-later
// The implementation of jkvmaudiosink: connects the playback thread to GStreamer.
#pragma once

#include "common/element_message.h"
#include "common/gst_ref.h"
#include "core/base/guarded.h"
#include "core/base/wait_control.h"
#include "device_clock_object.h"
#include "gstjkvmaudiosink.h"
#include "playback/playback_stats.h"
#include "playback/playback_thread.h"
#include "playback_properties.h"

#include <atomic>
#include <memory>
#include <optional>

GST_DEBUG_CATEGORY_EXTERN(jkvm_audio_sink_debug);

namespace jkvm {

class AudioSink final : public PlaybackEngine::Host {
public:
    explicit AudioSink(GstJkvmAudioSink *element);

    /// The properties that describe the present state of the element.
    static const PropertyTable<AudioSink> &live_properties();
    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);

    bool open();
    void close();
    void unlock();
    void unlock_stop();
    bool set_caps(const GstCaps *caps);
    GstFlowReturn render(GstBuffer *buffer);
    /// Handles GAP and EOS after the base class has waited for them.
    GstFlowReturn on_event(GstEvent *event);
    /// Discards queued and unplayed audio.
    void flush();
    /// False: the base class has to answer.
    bool answer_query(GstQuery *query) const;
    GstClock *provide_clock();

private:
    void on_device_changed(const DeviceReport &report) override;
    void on_latency_changed(nanoseconds latency) override;
    void on_device_position(nanoseconds position, MonotonicTime time) override;
    void on_played(const PlaybackEngine::PlayedPacket &) override {} // PlaybackThread records it

    // audio_sink_streaming.cpp

    /// Waits until an item of that running time is to be queued. Returns whether that time had
    /// passed already in `is_overdue`.
    GstFlowReturn wait(GstClockTime running, bool &is_overdue);
    /// When a packet is to be queued: at its time, or after a loss at once, because it may carry
    /// FEC.
    [[nodiscard]] GstClockTime queueing_time(GstClockTime running) const;
    /// Due time of an item; empty if the element is not synchronised to a clock.
    [[nodiscard]] std::optional<MonotonicTime> due_at(GstClockTime running) const;
    struct Packet {
        std::span<const std::byte> data;
        GstClockTime running;
        GstClockTime duration; ///< as stamped
        std::optional<WallTime> captured;
    };
    /// Waits until the packet is to be queued, and queues it.
    GstFlowReturn play(const Packet &packet);
    /// Returns the capture time that the buffer carries as a GstReferenceTimestampMeta.
    [[nodiscard]] std::optional<WallTime> capture_time_of(GstBuffer *buffer) const;
    GstFlowReturn render_samples(GstBuffer *buffer, std::span<const std::byte> data,
                                 GstClockTime running);
    GstFlowReturn conceal(GstEvent *event);
    GstFlowReturn drain();
    /// Returns the result that on-device-lost demands; GST_FLOW_OK to continue.
    GstFlowReturn check_device();

    // audio_sink.cpp
    void post_stats_if_due();
    void post_latency_change();
    [[nodiscard]] PlaybackStats collect_stats() const;
    [[nodiscard]] gint64 actual_buffer_time() const;
    [[nodiscard]] gint64 actual_latency_time() const;
    [[nodiscard]] GstStructure *stats() const;

    GstElement *element_;
    GstBaseSink *sink_;
    ElementMessages devices_;
    LatencyMessages latency_messages_;
    StatsReport report_;
    WaitControl control_;
    GstRef<GstCaps> unix_time_; // the reference clock of capture times
    SharedDeviceClock device_clock_ = std::make_shared<Guarded<DeviceClock>>();
    Guarded<PlaybackSettings> settings_;
    std::atomic<double> gain_{1}; // from mute and volume
    /// Why no device works, if on-device-lost has to react to it.
    Guarded<std::optional<Error>> failure_;

    // From open() to close(). Set and reset under the lock, which get_property() takes as well; the
    // streaming thread uses it in between.
    Guarded<std::unique_ptr<PlaybackThread>> playback_;
    Guarded<PlaybackStats> last_stats_; // of the previous session

    // Used by the streaming thread only.
    PlaybackThread *thread_ = nullptr;
    std::optional<PlaybackFormat> format_;
    LatencyWatch latency_watch_;
    GstClockTime end_ = GST_CLOCK_TIME_NONE;       // running time of the last item's end
    GstClockTime audio_end_ = GST_CLOCK_TIME_NONE; // running time of the last packet's end
    OnDeviceLost on_device_lost_ = OnDeviceLost::wait;
    bool is_ended_ = false; // by on-device-lost
};

} // namespace jkvm
