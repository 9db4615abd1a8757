// SPDX-License-Identifier: LGPL-2.1-or-later
#include "heart.h"

#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace jkvm {

namespace {

constexpr std::chrono::milliseconds interval{100};

/// Nothing happens where no service manager asked to be told.
void notify_service_manager([[maybe_unused]] const char *state)
{
#ifdef HAVE_SYSTEMD
    sd_notify(0, state);
#endif
}

} // namespace

Heart::~Heart()
{
    if (timer_ != 0)
        g_source_remove(timer_);
}

void Heart::beat_with_flow(GstPad *pad)
{
    constexpr auto types =
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
    // The events at the beginning of a stream come before the device has said anything.
    const auto on_flow = [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
        if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) == 0 ||
            GST_EVENT_TYPE(gst_pad_probe_info_get_event(info)) == GST_EVENT_GAP)
            static_cast<Heart *>(self)->beat();
        return GST_PAD_PROBE_OK;
    };
    gst_pad_add_probe(pad, types, on_flow, this, nullptr);
}

void Heart::beat_while_free(GstPad *pad)
{
    free_pad_ = GstRef<GstPad>::share(pad);
    const auto on_timer = [](gpointer self) noexcept -> gboolean {
        static_cast<Heart *>(self)->ask_free_pad();
        return G_SOURCE_CONTINUE;
    };
    const auto milliseconds = static_cast<guint>(interval.count());
    timer_ = g_timeout_add(milliseconds, on_timer, this);
}

/// An idle probe is called at once when nobody is in a push from the pad, and else when the one who
/// is comes back.
void Heart::ask_free_pad()
{
    if (is_asked_.exchange(true))
        return;
    const auto on_idle = [](GstPad *, GstPadProbeInfo *, gpointer self) noexcept {
        auto *heart = static_cast<Heart *>(self);
        heart->beat();
        heart->is_asked_ = false;
        return GST_PAD_PROBE_REMOVE;
    };
    gst_pad_add_probe(free_pad_.get(), GST_PAD_PROBE_TYPE_IDLE, on_idle, this, nullptr);
}

void Heart::beat()
{
    const auto now = monotonic_now();
    auto last = last_.load();
    if (now - last < interval || !last_.compare_exchange_strong(last, now))
        return;
    const char byte = 0;
    // It does not block; when the pipe is full nobody reads.
    if (fd_ >= 0 && ::write(fd_, &byte, sizeof byte) < 0)
        GST_DEBUG("the supervisor does not listen");
    if (is_first_.exchange(false))
        notify_service_manager("READY=1");
    notify_service_manager("WATCHDOG=1");
}

} // namespace jkvm
