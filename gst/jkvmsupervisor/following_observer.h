// SPDX-License-Identifier: LGPL-2.1-or-later
// Observes whether the sink of a worker follows stretched timestamps.
#pragma once

#include "pad_probe.h"

#include <functional>
#include <mutex>
#include <optional>

namespace jkvm {

/// Queries the sink at first and after each RECONFIGURE event.
class FollowingObserver {
public:
    /// Called with the first answer and each one that differs, by the thread of an event.
    using Report = std::function<void(bool follows)>;

    /// `source`: pad through which the link's audio enters the worker's pipeline.
    FollowingObserver(GstPad *source, Report report);
    FollowingObserver(const FollowingObserver &) = delete;
    FollowingObserver &operator=(const FollowingObserver &) = delete;

    void query();

private:
    Report report_;
    std::mutex mutex_;            // of the query and its report
    std::optional<bool> follows_; // as reported
    PadProbe probe_;              // uses the members above
};

} // namespace jkvm
