// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/wait_control.h"

#include <poll.h>

#include <utility>

namespace jkvm {

bool WaitControl::sleep_until(MonotonicTime time) const
{
    const auto now = monotonic_now();
    if (!is_set() && time > now) {
        pollfd entry{fd(), POLLIN, 0};
        const auto timeout = to_timespec(time - now);
        ::ppoll(&entry, 1, &timeout, nullptr);
    }
    return is_set();
}

bool WaitControl::set(bool Requests::*request, bool is_pending)
{
    auto requests = requests_.lock();
    const bool was_pending = std::exchange((*requests).*request, is_pending);
    is_set_ = requests->interrupt || requests->restart || requests->wake_up;
    if (is_set_)
        event_.set();
    else
        event_.clear();
    return was_pending;
}

} // namespace jkvm
