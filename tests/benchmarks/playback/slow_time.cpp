// SPDX-License-Identifier: LGPL-2.1-or-later
// Slows down the time of a program by the factor $SLOW_TIME (8 by default), so that a program that
// valgrind makes fifty times slower still meets its deadlines. The library is preloaded and
// overrides functions of the C library: the clocks run slowly, and time-outs are as much longer.
//
// In contrast to virtual_time.cpp it supports any number of threads and ways to wait, but the time
// is not simulated.
#include <dlfcn.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t second = 1'000'000'000; // ns
constexpr std::size_t kernel_sigset = 8;       // bytes; sigset_t of the C library is larger

std::int64_t to_ns(const timespec &time)
{
    return time.tv_sec * second + time.tv_nsec;
}

timespec to_timespec(std::int64_t ns)
{
    return {static_cast<time_t>(ns / second), static_cast<long>(ns % second)};
}

/// Returns the C library's function that is overridden here.
template <typename Function>
Function *find_original(const char *name)
{
    return reinterpret_cast<Function *>(::dlsym(RTLD_NEXT, name));
}

template <typename... Arguments>
long call_kernel(long number, Arguments... arguments)
{
    static auto *const original = find_original<long(long, ...)>("syscall");
    return original(number, arguments...);
}

std::int64_t real_time(clockid_t clock)
{
    timespec time{};
    call_kernel(SYS_clock_gettime, clock, &time);
    return to_ns(time);
}

std::int64_t factor()
{
    static const std::int64_t value = [] {
        const char *const text = std::getenv("SLOW_TIME");
        return text != nullptr ? std::strtoll(text, nullptr, 10) : 8;
    }();
    return value;
}

/// Time at which the clocks agree with the real ones.
std::int64_t start_of(clockid_t clock)
{
    static const std::int64_t monotonic = real_time(CLOCK_MONOTONIC);
    static const std::int64_t wall = real_time(CLOCK_REALTIME);
    return clock == CLOCK_REALTIME ? wall : monotonic;
}

bool is_slowed(clockid_t clock)
{
    return clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME;
}

/// Converts a time of a slowed clock to the real clock.
timespec to_real(clockid_t clock, const timespec &time)
{
    const auto passed = to_ns(time) - start_of(clock);
    return passed <= 0 ? time : to_timespec(start_of(clock) + passed * factor());
}

timespec lengthen(const timespec &duration)
{
    return to_timespec(to_ns(duration) * factor());
}

} // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the headers use reserved names
extern "C" {

[[gnu::visibility("default")]] int clock_gettime(clockid_t clock, timespec *time) noexcept
{
    const auto now = real_time(clock);
    *time =
        to_timespec(is_slowed(clock) ? start_of(clock) + (now - start_of(clock)) / factor() : now);
    return 0;
}

[[gnu::visibility("default")]] int clock_nanosleep(clockid_t clock, int flags, const timespec *time,
                                                   timespec *)
{
    const auto real = (flags & TIMER_ABSTIME) != 0 ? to_real(clock, *time) : lengthen(*time);
    const auto failed = call_kernel(SYS_clock_nanosleep, clock, flags, &real, nullptr);
    return failed == 0 ? 0 : EINTR;
}

[[gnu::visibility("default")]] int nanosleep(const timespec *time, timespec *)
{
    return ::clock_nanosleep(CLOCK_MONOTONIC, 0, time, nullptr);
}

[[gnu::visibility("default")]] int timerfd_settime(int fd, int flags, const itimerspec *when,
                                                   itimerspec *before) noexcept
{
    itimerspec real = *when;
    real.it_value = (flags & TFD_TIMER_ABSTIME) != 0 ? to_real(CLOCK_MONOTONIC, when->it_value)
                                                     : lengthen(when->it_value);
    return static_cast<int>(call_kernel(SYS_timerfd_settime, fd, flags, &real, before));
}

[[gnu::visibility("default")]] int ppoll(pollfd *fds, nfds_t count, const timespec *timeout,
                                         const sigset_t *mask)
{
    timespec real = timeout != nullptr ? lengthen(*timeout) : timespec{};
    return static_cast<int>(call_kernel(SYS_ppoll, fds, count, timeout != nullptr ? &real : nullptr,
                                        mask, kernel_sigset));
}

[[gnu::visibility("default")]] int poll(pollfd *fds, nfds_t count, int timeout)
{
    constexpr std::int64_t ms = 1'000'000;
    const timespec time = to_timespec(timeout * ms);
    return ::ppoll(fds, count, timeout < 0 ? nullptr : &time, nullptr);
}

// GLib and GStreamer wait for conditions with this system call, not with the C library.
[[gnu::visibility("default")]] long syscall(long number, ...) noexcept
{
    std::va_list list;
    va_start(list, number);
    std::array<long, 6> arguments{}; // missing ones are undefined, and ignored by the kernel
    for (long &argument : arguments)
        argument = va_arg(list, long);
    va_end(list);
    timespec real{};
    if (number == SYS_futex && arguments[3] != 0) {
        const auto command = arguments[1] & FUTEX_CMD_MASK;
        const auto &time = *reinterpret_cast<const timespec *>(arguments[3]);
        const bool is_wall = (arguments[1] & FUTEX_CLOCK_REALTIME) != 0;
        if (command == FUTEX_WAIT)
            real = lengthen(time);
        else if (command == FUTEX_WAIT_BITSET)
            real = to_real(is_wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, time);
        if (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET)
            arguments[3] = reinterpret_cast<long>(&real);
    }
    return call_kernel(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                       arguments[5]);
}

[[gnu::visibility("default")]] int pthread_cond_clockwait(pthread_cond_t *condition,
                                                          pthread_mutex_t *mutex, clockid_t clock,
                                                          const timespec *time)
{
    static auto *const original =
        find_original<int(pthread_cond_t *, pthread_mutex_t *, clockid_t, const timespec *)>(
            "pthread_cond_clockwait");
    const auto real = to_real(clock, *time);
    return original(condition, mutex, clock, &real);
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
