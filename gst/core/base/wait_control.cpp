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

void WaitControl::publish(const Requests &requests)
{
    is_set_ = requests.interrupt || requests.restart || requests.wake_up;
    if (is_set_)
        event_.set();
    else
        event_.clear();
}

void WaitControl::interrupt()
{
    auto requests = requests_.lock();
    requests->interrupt = true;
    publish(*requests);
}

void WaitControl::resume()
{
    auto requests = requests_.lock();
    requests->interrupt = false;
    publish(*requests);
}

void WaitControl::request_restart()
{
    auto requests = requests_.lock();
    requests->restart = true;
    publish(*requests);
}

void WaitControl::request_wake_up()
{
    auto requests = requests_.lock();
    requests->wake_up = true;
    publish(*requests);
}

bool WaitControl::take_restart()
{
    auto requests = requests_.lock();
    const bool was_requested = std::exchange(requests->restart, false);
    publish(*requests);
    return was_requested;
}

bool WaitControl::take_wake_up()
{
    auto requests = requests_.lock();
    const bool was_requested = std::exchange(requests->wake_up, false);
    publish(*requests);
    return was_requested;
}

} // namespace jkvm
