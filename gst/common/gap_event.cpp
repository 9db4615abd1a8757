// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/gap_event.h"

#include "common/gst_ref.h"

namespace jkvm {

bool has_segment(GstBaseSrc *src)
{
    return static_cast<bool>(GstRef<GstEvent>::adopt(
        gst_pad_get_sticky_event(GST_BASE_SRC_PAD(src), GST_EVENT_SEGMENT, 0)));
}

void push_gap(GstBaseSrc *src, nanoseconds start, nanoseconds duration)
{
    auto *pad = GST_BASE_SRC_PAD(src);
    // The base class sends the segment with the first buffer only, and will do so again.
    if (!has_segment(src))
        gst_pad_push_event(pad, gst_event_new_segment(&src->segment));
    gst_pad_push_event(pad, gst_event_new_gap(static_cast<GstClockTime>(start.count()),
                                              static_cast<GstClockTime>(duration.count())));
}

} // namespace jkvm
