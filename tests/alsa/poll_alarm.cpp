// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/poll_alarm.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace jkvm::testing {
namespace {

constexpr int64_t ns_per_second = 1'000'000'000;

} // namespace

int64_t read_monotonic_clock()
{
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * ns_per_second + now.tv_nsec;
}

PollAlarm::PollAlarm()
    : timer_{timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)}, epoll_{epoll_create1(
                                                                               EPOLL_CLOEXEC)}
{
    if (!timer_ || !epoll_)
        throw std::system_error(errno, std::generic_category());
    watch(timer_.get());
}

void PollAlarm::watch(int descriptor)
{
    epoll_event event = {};
    event.events = EPOLLIN;
    if (descriptor >= 0)
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
}

void PollAlarm::set(int64_t time)
{
    if (time_ == time)
        return;
    time_ = time;
    itimerspec when = {};
    if (time != never) {
        when.it_value.tv_sec = time / ns_per_second;
        when.it_value.tv_nsec = time % ns_per_second;
    }
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

} // namespace jkvm::testing
