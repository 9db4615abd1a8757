// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/stream_priority.h"

namespace jkvm {

void StreamPriority::on_message(GstMessage *message, GstPad *pad, int requested)
{
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_STREAM_STATUS ||
        GST_MESSAGE_SRC(message) != GST_OBJECT(pad))
        return;
    GstStreamStatusType type{};
    gst_message_parse_stream_status(message, &type, nullptr);
    if (type == GST_STREAM_STATUS_TYPE_ENTER && requested > 0) {
        granted_ = thread_.raise(requested);
        GST_INFO_OBJECT(pad, "requested priority %d, granted: %s", requested, name_of(granted_));
    } else if (type == GST_STREAM_STATUS_TYPE_LEAVE) {
        thread_.restore();
        granted_ = ThreadPriority::Granted::normal;
    }
}

} // namespace jkvm
