// SPDX-License-Identifier: LGPL-2.1-or-later
// The engine of the element jkvmadaptivequeue, between its two pads.
#pragma once

#include "adaptive_queue_sink_pad.h"
#include "adaptive_queue_src_pad.h"
#include "queue_state.h"

namespace jkvm {

/// Buffers that arrive at the sink pad are queued; the task of the source pad asks Playout when to
/// push each one. Serialized events and queries keep their place among the buffers. The members may
/// be called from any thread unless they say otherwise.
class AdaptiveQueue {
public:
    AdaptiveQueue(GstElement *element, GstPad *sink, GstPad *src,
                  void (*emit)(GstElement *element, QueueSignal signal));

    [[nodiscard]] AdaptiveQueueSinkPad &sink_pad() { return sink_pad_; }
    [[nodiscard]] AdaptiveQueueSrcPad &src_pad() { return src_pad_; }

    /// The read-only properties.
    static const PropertyTable<AdaptiveQueue> &live_properties();
    /// Returns false if there is no such property.
    bool set_property(const GValue *value, const GParamSpec *spec);
    bool get_property(GValue *value, const GParamSpec *spec) const;
    [[nodiscard]] nanoseconds current_delay() const;
    [[nodiscard]] nanoseconds target_delay() const;
    [[nodiscard]] guint level_buffers() const;
    [[nodiscard]] guint level_bytes() const;
    [[nodiscard]] nanoseconds level_time() const;
    /// Transfer full.
    [[nodiscard]] GstStructure *stats() const;

    /// To be called before post_message() of the base class.
    void on_message(GstMessage *message);

    // --- state changes ---

    void open();
    void play();
    void pause();

private:
    ProcSystemLoad machine_load_;
    LoadGauge load_{machine_load_};
    QueueContext context_;
    StreamPriority priority_;
    AdaptiveQueueSrcPad src_pad_;
    AdaptiveQueueSinkPad sink_pad_;
};

} // namespace jkvm
