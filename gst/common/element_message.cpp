// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/element_message.h"

#include <utility>

namespace jkvm {

void ElementMessages::post(const char *reason, const Fields &fields)
{
    unsigned suppressed = 0;
    {
        const auto now = monotonic_now();
        auto limits = limits_.lock();
        auto &limit = (*limits)[reason];
        if (limit.last && now - *limit.last < std::chrono::seconds(1)) {
            ++limit.suppressed;
            return;
        }
        limit.last = now;
        suppressed = std::exchange(limit.suppressed, 0);
    }
    // The reason is the first field, for readability.
    auto *structure =
        Fields().set("reason", reason).set("suppressed", suppressed).append(fields).release(name_);
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), structure));
}

} // namespace jkvm
