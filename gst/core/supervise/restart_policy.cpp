// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/restart_policy.h"

#include <algorithm>

namespace jkvm {

RestartPolicy::Decision RestartPolicy::on_child_ended(nanoseconds healthy, MonotonicTime now)
{
    while (!restarts_.empty() && restarts_.front() <= now - limits_.window)
        restarts_.pop_front();
    const bool is_limit_reached = restarts_.size() >= limits_.max_restarts;
    // Slow attempts beyond the limit keep the window full: restarts become immediate again only
    // after a child has been healthy for long.
    const auto delay = is_limit_reached ? limits_.max_delay : next_delay(healthy);
    restarts_.push_back(now + delay);
    return {now + delay, is_limit_reached};
}

nanoseconds RestartPolicy::next_delay(nanoseconds healthy)
{
    if (healthy >= min_healthy)
        delay_ = nanoseconds(0);
    else
        delay_ = std::min(std::max(2 * delay_, limits_.delay), limits_.max_delay);
    return delay_;
}

} // namespace jkvm
