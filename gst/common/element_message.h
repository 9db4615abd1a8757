// SPDX-License-Identifier: LGPL-2.1-or-later
// Posts element messages at a limited rate and counts those that were suppressed.
#pragma once

#include "common/fields.h"
#include "core/base/guarded.h"

#include <map>
#include <optional>
#include <string_view>

namespace jkvm {

/// Posts messages of one name, at most one per second and reason. The field `suppressed` (guint) is
/// the number of messages with the same reason that were not posted since the last one.
/// Thread-safe.
class ElementMessages {
public:
    /// `name`: name of the structure, such as "jkvm-client". It and the element must outlive this
    /// object.
    ElementMessages(GstElement *element, const char *name) : element_(element), name_(name) {}

    /// `reason`: a nick, such as "closed"; a string literal. Must be called without a lock, because
    /// a sync handler may call back into the element.
    void post(const char *reason, const Fields &fields);

private:
    struct Limit {
        std::optional<MonotonicTime> last;
        unsigned suppressed = 0;
    };
    GstElement *element_;
    const char *name_;
    Guarded<std::map<std::string_view, Limit>> limits_;
};

} // namespace jkvm
