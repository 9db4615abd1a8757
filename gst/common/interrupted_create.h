// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides how the create() of a live source continues after GstBaseSrc has interrupted it.
#pragma once

#include <gst/base/base.h>

#include <atomic>

namespace jkvm {

/// GstBaseSrc interrupts create() in the same way for a pause, a flush, a change to READY and an
/// EOS event. After a pause create() waits for PLAYING and continues: returning FLUSHING would
/// pause the task, possibly after the change back to PLAYING has already started it. After an EOS
/// event it has to return, because the event is sent downstream by the caller of create().
class InterruptedCreate {
public:
    /// Any thread: before GstElementClass::send_event of the parent class.
    void on_send_event(const GstEvent *event)
    {
        if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
            is_ending_ = true;
    }
    /// Before the streaming thread starts.
    void reset() { is_ending_ = false; }

    /// Streaming thread, after the interruption was acknowledged: GST_FLOW_OK to continue, or the
    /// value that create() returns. Blocks while the element is paused.
    [[nodiscard]] GstFlowReturn wait_playing(GstBaseSrc *src) const
    {
        return is_ending_ ? GST_FLOW_FLUSHING : gst_base_src_wait_playing(src);
    }

private:
    std::atomic<bool> is_ending_{false};
};

} // namespace jkvm
