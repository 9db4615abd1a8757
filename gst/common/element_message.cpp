// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/element_message.h"

#include <cstdarg>
#include <utility>

namespace jkvm {

void ElementMessages::post(const char *reason, const char *first_field, ...)
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
    GstStructure *structure = gst_structure_new(name_, "reason", G_TYPE_STRING, reason,
                                                "suppressed", G_TYPE_UINT, suppressed, nullptr);
    std::va_list fields;
    va_start(fields, first_field);
    if (first_field != nullptr)
        gst_structure_set_valist(structure, first_field, fields);
    va_end(fields);
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), structure));
}

} // namespace jkvm
