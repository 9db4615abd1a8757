// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/wait_control.h"

#include <poll.h>

#include <utility>

namespace jkvm {

bool WaitControl::sleep_until(MonotonicTime time) const
{
    const auto now = monotonic_now();
    if (!is_set() && time > now) {
        pollfd waiting{fd(), POLLIN, 0};
        const auto timeout = to_timespec(time - now);
        ::ppoll(&waiting, 1, &timeout, nullptr);
    }
    return is_set();
}

void WaitControl::announce(const Wanted &wanted)
{
    is_set_ = wanted.end || wanted.restart || wanted.wake_up;
    if (is_set_)
        event_.set();
    else
        event_.clear();
}

void WaitControl::interrupt()
{
    auto wanted = wanted_.lock();
    wanted->end = true;
    announce(*wanted);
}

void WaitControl::resume()
{
    auto wanted = wanted_.lock();
    wanted->end = false;
    announce(*wanted);
}

void WaitControl::ask_restart()
{
    auto wanted = wanted_.lock();
    wanted->restart = true;
    announce(*wanted);
}

void WaitControl::request_wake_up()
{
    auto wanted = wanted_.lock();
    wanted->wake_up = true;
    announce(*wanted);
}

bool WaitControl::take_restart()
{
    auto wanted = wanted_.lock();
    const bool was_asked_for = std::exchange(wanted->restart, false);
    announce(*wanted);
    return was_asked_for;
}

bool WaitControl::take_wake_up()
{
    auto wanted = wanted_.lock();
    const bool was_left = std::exchange(wanted->wake_up, false);
    announce(*wanted);
    return was_left;
}

} // namespace jkvm
