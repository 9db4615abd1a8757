// SPDX-License-Identifier: LGPL-2.1-or-later
#include "demand_report.h"

#include "common/demand.h"

namespace jkvm {

void DemandReport::on_added(guint64 id)
{
    listeners_.lock()->insert(id);
    repeat();
}

void DemandReport::on_removed(guint64 id)
{
    if (listeners_.lock()->erase(id) > 0)
        repeat();
}

void DemandReport::repeat()
{
    GstEvent *event = nullptr;
    {
        // Of two threads, the one that makes the later event has the later number.
        const auto listeners = listeners_.lock();
        event = make_demand(GST_ELEMENT(sink_), static_cast<guint>(listeners->size()));
    }
    gst_pad_push_event(GST_BASE_SINK_PAD(sink_), event);
}

} // namespace jkvm
