// SPDX-License-Identifier: LGPL-2.1-or-later
// The implementation of jkvmaudiosrc: connects the capture engine and the frame coder to GStreamer.
#pragma once

#include "capture/capture_engine.h"
#include "capture/capture_stats.h"
#include "capture_properties.h"
#include "codec/frame_coder.h"
#include "codec_properties.h"
#include "common/demand.h"
#include "common/element_message.h"
#include "common/interrupted_create.h"
#include "common/packet_pool.h"
#include "common/stats_report.h"
#include "core/base/guarded.h"
#include "core/base/wait_control.h"
#include "core/wire/source_state.h"
#include "device_clock_object.h"
#include "gstjkvmaudiosrc.h"
#include "omitted_audio.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

GST_DEBUG_CATEGORY_EXTERN(jkvm_audio_src_debug);

namespace jkvm {

class AudioSrc final : public CaptureEngine::Host {
public:
    explicit AudioSrc(GstJkvmAudioSrc *element);

    /// The properties that describe the current state of the element.
    static const PropertyTable<AudioSrc> &live_properties();
    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);

    bool open();
    void close();
    void unlock() { control_.interrupt(); }
    void unlock_stop() { control_.resume(); }
    /// Discards audio that the device captured while the pipeline was paused.
    void restart() { control_.request_restart(); }
    bool negotiate();
    /// Any thread: precedes send_event() of the base class.
    void on_send_event(const GstEvent *event) { interrupted_create_.on_send_event(event); }
    /// Returns false if the base class has to answer.
    bool answer_latency(GstQuery *query);
    /// Any thread: notes what an event from downstream reports about listeners or links. Returns
    /// whether that was all.
    bool on_event(GstEvent *event);
    /// Handles an event for which is_encoder_request() is true. Returns false if it is invalid and
    /// was refused with a warning.
    bool handle_encoder_request(GstEvent *event);
    GstClock *provide_clock();
    /// Precedes post_message() of the base class.
    void on_message(GstMessage *message);
    GstFlowReturn create(GstBuffer **buffer);

private:
    // audio_src_streaming.cpp
    CaptureEngine::Moment now() override;
    void on_device_changed(const DeviceReport &report) override;
    void on_device_refused(const DeviceReport &report) override;
    void on_latency_changed() override;
    void on_overrun(nanoseconds lost) override;
    void on_ring_grown(nanoseconds buffer_time) override;
    void on_rate_changed(const CaptureFrameReader::RateReport &report) override;
    void on_device_position(nanoseconds position, MonotonicTime captured) override;

    /// Applies the settings changed since the last frame. Returns false if they are invalid; an
    /// error was posted then.
    bool apply_settings();
    /// Encodes, idles or releases the device, as the demand requires.
    void apply_demand();
    /// Blocks while the device is released, until there may be demand.
    CaptureEngine::Interrupted wait_for_demand();
    /// Returns GST_FLOW_CUSTOM_SUCCESS for a frame that is not pushed.
    GstFlowReturn handle_frame(CaptureEngine::Frame frame, GstBuffer **buffer);
    /// Returns GST_FLOW_CUSTOM_SUCCESS for a frame that precedes the start of the stream and is not
    /// pushed.
    GstFlowReturn code_frame(const CaptureEngine::Frame &frame, GstBuffer **buffer);
    /// The result of create() after a failure of the device; GST_FLOW_OK to continue with silence.
    GstFlowReturn handle_failure(const Error &error);
    void update_stats(const FrameCoder::Coded &coded);
    void post_stats_if_due();
    /// Describes this element to those downstream, if something has changed.
    void push_state();
    void post_device(const char *reason, const DeviceReport &report);
    void log_loss(nanoseconds lost);

    // audio_src.cpp
    void on_capture_property(std::string_view name);
    void change_codec(const std::function<void(CodecControl &)> &change);
    void warn_of_contradictions(const EncoderSettings &settings);
    bool set_caps();
    /// Whether downstream accepts raw samples but not Opus.
    bool prefers_samples();
    void post_device_error(Error error);
    [[nodiscard]] gint64 actual_buffer_time() const;
    [[nodiscard]] gint64 actual_latency_time() const;
    [[nodiscard]] GstStructure *stats() const;

    GstElement *element_;
    GstBaseSrc *src_;
    InterruptedCreate interrupted_create_;
    ElementMessages xruns_;
    ElementMessages devices_;
    LevelMessages levels_;
    StatsReport report_;
    WaitControl control_;
    DownstreamDemand demand_;
    StreamPriority priority_;
    Guarded<CaptureSettings> settings_;
    Guarded<CodecControl> codec_;
    std::atomic<bool> codec_changed_{false};   // since the last apply_settings()
    std::atomic<bool> devices_changed_{false}; // the same
    std::atomic<bool> repeats_state_{false};   // so that all sinks report their demand again
    std::atomic<bool> state_changed_{false};   // since the last push_state()
    std::atomic<double> gain_{1};              // from mute and volume
    std::atomic<Activity> when_unheard_{Activity::idle};
    Guarded<CaptureStats> stats_; // as of the last frame, without `pool`
    Guarded<UnheardTime> unheard_time_;
    Guarded<PacketPool::Monitor> pool_monitor_;
    std::atomic<nanoseconds> latency_{nanoseconds(0)}; // 0 while closed
    SharedDeviceClock device_clock_ = std::make_shared<Guarded<DeviceClock>>();

    // From open() to close(); used by the streaming thread in between.
    std::unique_ptr<CaptureEngine> engine_;
    std::optional<FrameCoder> coder_;
    PacketPool pool_;
    unsigned channels_ = 2;  // captured
    EncoderSettings stream_; // described by the caps
    int pre_skip_ = 0;       // in the caps
    Activity activity_ = Activity::encode;
    OmittedAudio omitted_;
    wire::SourceState pushed_state_;
    OnDeviceLost on_device_lost_ = OnDeviceLost::wait;
    MonotonicTime next_loss_warning_{};
    nanoseconds unlogged_loss_{0};
};

} // namespace jkvm
