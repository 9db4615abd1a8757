// SPDX-License-Identifier: LGPL-2.1-or-later
// Provides virtual time that advances only while a program waits for its audio device. The library
// is preloaded and overrides functions of the C library: the clocks stop while the program
// computes, however long that takes (valgrind makes it fifty times slower), and jump to the next
// event when it polls. So no device overruns, no deadline is missed, and all runs are the same.
//
// It supports one device that uses a timerfd, as the virtual ALSA device does, and frames of 20 ms.
// A thread that reads ahead of the others blocks when it is three frames ahead of the frames that
// have arrived (measured_window.h).
#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <limits>
#include <mutex>

namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

constexpr auto frame = 20ms;
constexpr auto lead = 3 * frame;
constexpr auto never = nanoseconds::max();
constexpr std::size_t kernel_sigset = 8; // bytes; sigset_t of the C library is larger

timespec to_timespec(nanoseconds time)
{
    return {static_cast<time_t>(time / 1s), static_cast<long>((time % 1s).count())};
}

nanoseconds from_timespec(const timespec &time)
{
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

nanoseconds real_time(clockid_t clock)
{
    timespec time{};
    ::syscall(SYS_clock_gettime, clock, &time);
    return from_timespec(time);
}

class VirtualTime {
public:
    static VirtualTime &get()
    {
        static VirtualTime time;
        return time;
    }

    [[nodiscard]] nanoseconds now(clockid_t clock) const
    {
        return (clock == CLOCK_REALTIME ? wall_start_ : start_) + passed_.load();
    }

    int set_timer(int fd, int flags, const itimerspec *when, itimerspec *before)
    {
        const auto time = from_timespec(when->it_value);
        const bool is_ahead = (flags & TFD_TIMER_ABSTIME) != 0 && time > now(CLOCK_MONOTONIC);
        const std::lock_guard lock(mutex_);
        timer_fd_ = fd;
        alarm_ = is_ahead ? time : never;
        const itimerspec disarmed{};
        return set_real_timer(fd, flags, is_ahead ? &disarmed : when, before);
    }

    int poll(pollfd *fds, nfds_t count, nanoseconds timeout, const sigset_t *mask)
    {
        const auto deadline = timeout == never ? never : now(CLOCK_MONOTONIC) + timeout;
        for (;;) {
            const timespec at_once{};
            const int ready = real_poll(fds, count, &at_once, mask);
            if (ready != 0 || now(CLOCK_MONOTONIC) >= deadline)
                return ready;
            std::unique_lock lock(mutex_);
            const auto next = std::min(deadline, alarm_);
            if (next == never) {
                lock.unlock();
                return real_poll(fds, count, nullptr, mask);
            }
            changed_.wait(lock, [&] { return next - start_ <= arrived_ * frame + lead; });
            advance_to(next);
        }
    }

    void frame_arrived()
    {
        const std::lock_guard lock(mutex_);
        ++arrived_;
        changed_.notify_all();
    }

private:
    VirtualTime() : start_(real_time(CLOCK_MONOTONIC)), wall_start_(real_time(CLOCK_REALTIME)) {}

    static int real_poll(pollfd *fds, nfds_t count, const timespec *timeout, const sigset_t *mask)
    {
        timespec left = timeout != nullptr ? *timeout : timespec{}; // modified by the kernel
        return static_cast<int>(::syscall(
            SYS_ppoll, fds, count, timeout != nullptr ? &left : nullptr, mask, kernel_sigset));
    }
    static int set_real_timer(int fd, int flags, const itimerspec *when, itimerspec *before)
    {
        return static_cast<int>(::syscall(SYS_timerfd_settime, fd, flags, when, before));
    }

    void advance_to(nanoseconds time)
    {
        passed_ = std::max(passed_.load(), time - start_);
        if (now(CLOCK_MONOTONIC) < alarm_)
            return;
        alarm_ = never;
        constexpr itimerspec at_once{.it_value = {.tv_nsec = 1}};
        set_real_timer(timer_fd_, TFD_TIMER_ABSTIME, &at_once, nullptr);
    }

    const nanoseconds start_;
    const nanoseconds wall_start_;
    std::atomic<nanoseconds> passed_{0ns};
    std::mutex mutex_; // guards the members below
    std::condition_variable changed_;
    int timer_fd_ = -1;
    nanoseconds alarm_ = never; // CLOCK_MONOTONIC
    std::int64_t arrived_ = 0;  // frames
};

} // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the headers use reserved names
extern "C" {

[[gnu::visibility("default")]] int clock_gettime(clockid_t clock, timespec *time) noexcept
{
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
        return static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    *time = to_timespec(VirtualTime::get().now(clock));
    return 0;
}

[[gnu::visibility("default")]] int timerfd_settime(int fd, int flags, const itimerspec *when,
                                                   itimerspec *before) noexcept
{
    return VirtualTime::get().set_timer(fd, flags, when, before);
}

[[gnu::visibility("default")]] int poll(pollfd *fds, nfds_t count, int timeout)
{
    return VirtualTime::get().poll(
        fds, count, timeout < 0 ? never : nanoseconds(std::chrono::milliseconds(timeout)), nullptr);
}

[[gnu::visibility("default")]] int ppoll(pollfd *fds, nfds_t count, const timespec *timeout,
                                         const sigset_t *mask)
{
    return VirtualTime::get().poll(fds, count, timeout != nullptr ? from_timespec(*timeout) : never,
                                   mask);
}

[[gnu::visibility("default")]] void preloaded_frame_arrived()
{
    VirtualTime::get().frame_arrived();
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
