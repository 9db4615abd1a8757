// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/restart_policy.h"

#include <algorithm>

namespace jkvm {

RestartPolicy::Decision RestartPolicy::child_ended(nanoseconds healthy, MonotonicTime now)
{
    while (!restarts_.empty() && restarts_.front() <= now - limits_.window)
        restarts_.pop_front();
    const bool is_limit_reached = restarts_.size() >= limits_.max_restarts;
    // Whoever goes on in spite of the limit does it slowly, and fills the window by that: the
    // delays become short again only when a child has lived for long.
    const auto delay = is_limit_reached ? limits_.longest_delay : next_delay(healthy);
    restarts_.push_back(now + delay);
    return {now + delay, is_limit_reached};
}

nanoseconds RestartPolicy::next_delay(nanoseconds healthy)
{
    if (healthy >= youth)
        delay_ = nanoseconds(0);
    else
        delay_ = std::min(std::max(2 * delay_, limits_.delay), limits_.longest_delay);
    return delay_;
}

} // namespace jkvm
