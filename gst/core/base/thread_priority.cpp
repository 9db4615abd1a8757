// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/thread_priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace jkvm {

namespace {

constexpr int fallback_nice = -10;

} // namespace

const char *name_of(ThreadPriority::Granted granted)
{
    return std::array{"normal", "nice", "fifo"}.at(static_cast<std::size_t>(granted));
}

ThreadPriority::Granted ThreadPriority::raise(int priority)
{
    restore();
    // On Linux all of these belong to the thread; 0 is the calling one. pthread_getschedparam would
    // return the parent's policy to a new thread, also if SCHED_RESET_ON_FORK has reset it.
    sched_param before{};
    sched_getparam(0, &before);
    policy_ = sched_getscheduler(0);
    priority_ = before.sched_priority;
    nice_ = getpriority(PRIO_PROCESS, 0);

    sched_param requested{};
    requested.sched_priority = priority;
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &requested) == 0)
        granted_ = Granted::realtime;
    else if (setpriority(PRIO_PROCESS, 0, fallback_nice) == 0)
        granted_ = Granted::nice;
    return granted_;
}

void ThreadPriority::restore()
{
    if (granted_ == Granted::realtime) {
        sched_param before{};
        before.sched_priority = priority_;
        // Clearing the flag needs CAP_SYS_NICE, which raising within RLIMIT_RTPRIO does not.
        pthread_setschedparam(pthread_self(), policy_ | SCHED_RESET_ON_FORK, &before);
    } else if (granted_ == Granted::nice) {
        setpriority(PRIO_PROCESS, 0, nice_);
    }
    granted_ = Granted::normal;
}

} // namespace jkvm
