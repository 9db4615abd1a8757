// SPDX-License-Identifier: LGPL-2.1-or-later
#include "demand_relay.h"

#include <utility>

namespace jkvm {

namespace {

GstRef<GstPad> static_sink_pad(GstElement *element)
{
    return GstRef<GstPad>::adopt(gst_element_get_static_pad(element, "sink"));
}

} // namespace

DemandObserver::DemandObserver(GstPad *source, Report report)
    : report_(std::move(report)),
      probe_(
          source, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
          [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
              static_cast<DemandObserver *>(self)->on_event(gst_pad_probe_info_get_event(info));
              return GST_PAD_PROBE_OK;
          },
          this)
{}

void DemandObserver::on_event(GstEvent *event)
{
    if (demand_.on_event(event))
        check();
}

void DemandObserver::report()
{
    const std::lock_guard lock(mutex_);
    report_(is_heard_);
}

void DemandObserver::reset()
{
    const std::lock_guard lock(mutex_);
    demand_.reset();
    is_heard_ = true;
}

void DemandObserver::check()
{
    const std::lock_guard lock(mutex_);
    const bool is_heard = !demand_.is_unheard(probe_.pad(), monotonic_now());
    if (std::exchange(is_heard_, is_heard) != is_heard)
        report_(is_heard);
}

DemandOverride::DemandOverride(GstElement *sink)
    : sink_(sink), probe_(
                       static_sink_pad(sink).get(), GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
                       [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
                           static_cast<DemandOverride *>(self)->replace(info);
                           return GST_PAD_PROBE_OK;
                       },
                       this)
{}

void DemandOverride::replace(GstPadProbeInfo *info) const
{
    auto *event = gst_pad_probe_info_get_event(info);
    if (is_heard_ || !is_demand(event))
        return;
    auto *unheard = make_demand(sink_, 0);
    gst_event_set_seqnum(unheard, gst_event_get_seqnum(event));
    GST_PAD_PROBE_INFO_DATA(info) = unheard;
    gst_event_unref(event);
}

void DemandOverride::set_heard(bool is_heard)
{
    // The order is that of the events: a report of the sink that overlaps is older than this one.
    if (is_heard_.exchange(is_heard) != is_heard)
        gst_pad_push_event(probe_.pad(), make_demand(sink_, is_heard ? 1 : 0));
}

} // namespace jkvm
