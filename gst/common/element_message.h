// SPDX-License-Identifier: LGPL-2.1-or-later
// The jkvm-... element messages: at most one of a kind per second, none lost without a count.
#pragma once

#include "common/fields.h"
#include "core/base/guarded.h"

#include <map>
#include <optional>
#include <string_view>

namespace jkvm {

/// Posts messages of one name. Thread-safe. A message that comes within a second of the last one
/// with the same reason is not posted; the next one with that reason carries their number in the
/// field `suppressed` (guint).
class ElementMessages {
public:
    /// `name`: of the structure, "jkvm-client"; it and the element outlive this object.
    ElementMessages(GstElement *element, const char *name) : element_(element), name_(name) {}

    /// `reason`: a nick, "closed"; a literal. Must be called with no lock held: the application may
    /// answer in a sync handler.
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
