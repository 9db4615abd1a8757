// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/stats_report.h"

namespace jkvm {

bool StatsReport::is_due(nanoseconds interval, MonotonicTime now)
{
    if (interval == nanoseconds(0) || now < next_)
        return false;
    next_ = now + interval;
    return true;
}

void StatsReport::post(GstStructure *stats) const
{
    GST_CAT_INFO_OBJECT(category_, element_, "%" GST_PTR_FORMAT, static_cast<void *>(stats));
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), stats));
}

} // namespace jkvm
