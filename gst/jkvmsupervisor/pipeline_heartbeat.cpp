// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipeline_heartbeat.h"

#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace jkvm {

namespace {

/// Does nothing if the process was not started by a service manager.
void notify_service_manager([[maybe_unused]] const char *state)
{
#ifdef HAVE_SYSTEMD
    sd_notify(0, state);
#endif
}

bool is_driven_by_task(GstPad *pad)
{
    GST_OBJECT_LOCK(pad);
    const bool has_task = GST_PAD_TASK(pad) != nullptr;
    GST_OBJECT_UNLOCK(pad);
    return has_task;
}

} // namespace

PipelineHeartbeat::~PipelineHeartbeat()
{
    if (timer_ != 0)
        g_source_remove(timer_);
}

void PipelineHeartbeat::follow_stream(GstPad *pad)
{
    constexpr auto types =
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
    // The sticky events of a stream do not count: they precede the device's first data.
    const auto on_flow = [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
        if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) == 0 ||
            GST_EVENT_TYPE(gst_pad_probe_info_get_event(info)) == GST_EVENT_GAP)
            static_cast<PipelineHeartbeat *>(self)->send();
        return GST_PAD_PROBE_OK;
    };
    gst_pad_add_probe(pad, types, on_flow, this, nullptr);
}

void PipelineHeartbeat::follow_threads(GstBin *pipeline)
{
    pipeline_ = pipeline;
    const auto on_timer = [](gpointer self) noexcept -> gboolean {
        static_cast<PipelineHeartbeat *>(self)->probe_threads();
        return G_SOURCE_CONTINUE;
    };
    const auto milliseconds = static_cast<guint>(interval_.count());
    timer_ = g_timeout_add(milliseconds, on_timer, this);
}

/// Asks each streaming thread whether it is outside a push, also those that begin at queues. A
/// heartbeat is sent when all have answered, so a blocked thread prevents it.
void PipelineHeartbeat::probe_threads()
{
    if (pending_ > 0)
        return;
    pending_ = 1; // this function itself, so that early answers do not count as all
    const auto on_element = [](const GValue *element, gpointer self) noexcept {
        const auto on_pad = [](GstElement *, GstPad *pad, gpointer data) noexcept -> gboolean {
            static_cast<PipelineHeartbeat *>(data)->probe_if_driven(pad);
            return TRUE;
        };
        gst_element_foreach_src_pad(GST_ELEMENT(g_value_get_object(element)), on_pad, self);
    };
    auto *elements = gst_bin_iterate_recurse(pipeline_);
    while (gst_iterator_foreach(elements, on_element, this) == GST_ITERATOR_RESYNC)
        gst_iterator_resync(elements);
    gst_iterator_free(elements);
    on_answer();
}

/// An idle probe is called immediately if the pad's thread is not in a push, else when the push
/// returns.
void PipelineHeartbeat::probe_if_driven(GstPad *pad)
{
    if (!is_driven_by_task(pad))
        return;
    const auto on_idle = [](GstPad *, GstPadProbeInfo *, gpointer) noexcept {
        return GST_PAD_PROBE_REMOVE;
    };
    // Called after the probe, and also if the pad is removed without an answer.
    const auto on_removed = [](gpointer self) noexcept {
        static_cast<PipelineHeartbeat *>(self)->on_answer();
    };
    ++pending_;
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_IDLE, on_idle, this, on_removed);
}

void PipelineHeartbeat::on_answer()
{
    if (--pending_ == 0)
        send();
}

void PipelineHeartbeat::send()
{
    const auto now = monotonic_now();
    auto last = last_.load();
    if (now - last < interval_ || !last_.compare_exchange_strong(last, now))
        return;
    const char byte = 0;
    // The pipe does not block. If it is full, the supervisor is not reading.
    if (fd_ >= 0 && ::write(fd_, &byte, sizeof byte) < 0)
        GST_DEBUG("could not write the heartbeat");
    if (is_first_.exchange(false))
        notify_service_manager("READY=1");
    notify_service_manager("WATCHDOG=1");
}

} // namespace jkvm
