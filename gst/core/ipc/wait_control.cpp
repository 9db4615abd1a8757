// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/wait_control.h"

#include <utility>

namespace jkvm {

void WaitControl::announce(const Wanted &wanted)
{
    is_set_ = wanted.end || wanted.restart;
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

bool WaitControl::take_restart()
{
    auto wanted = wanted_.lock();
    const bool was_asked_for = std::exchange(wanted->restart, false);
    announce(*wanted);
    return was_asked_for;
}

} // namespace jkvm
