// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/fake_clocks.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdint>

namespace jkvm::testing {

namespace {

constexpr std::int64_t not_faked = 0;
std::atomic<std::int64_t> fake_wall_time = not_faked;      // ns since the Unix epoch
std::atomic<std::int64_t> fake_monotonic_time = not_faked; // ns
std::atomic<int> readings_left = 0;         // before the interruption; 0: there is none
std::atomic<std::int64_t> interruption = 0; // ns

std::int64_t read_fake_monotonic_time()
{
    if (fake_monotonic_time != not_faked && readings_left > 0 && --readings_left == 0)
        fake_monotonic_time += interruption;
    return fake_monotonic_time;
}

} // namespace

FakeWallClock::~FakeWallClock()
{
    fake_wall_time = not_faked;
}

void FakeWallClock::set(WallTime now)
{
    fake_wall_time = now.time_since_epoch().count();
}

FakeMonotonicClock::~FakeMonotonicClock()
{
    fake_monotonic_time = not_faked;
    readings_left = 0;
}

void FakeMonotonicClock::set(MonotonicTime now)
{
    fake_monotonic_time = now.time_since_epoch().count();
}

void FakeMonotonicClock::interrupt_after(int count, nanoseconds duration)
{
    interruption = duration.count();
    readings_left = count;
}

} // namespace jkvm::testing

extern "C" [[gnu::visibility("default")]] int
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the header's are reserved
clock_gettime(clockid_t clock, timespec *time) noexcept
{
    using Function = int(clockid_t, timespec *);
    static auto *const real = reinterpret_cast<Function *>(::dlsym(RTLD_NEXT, "clock_gettime"));
    std::int64_t fake = jkvm::testing::not_faked;
    if (clock == CLOCK_REALTIME)
        fake = jkvm::testing::fake_wall_time;
    else if (clock == CLOCK_MONOTONIC)
        fake = jkvm::testing::read_fake_monotonic_time();
    if (fake == jkvm::testing::not_faked)
        return real(clock, time);
    *time = jkvm::to_timespec(jkvm::nanoseconds(fake));
    return 0;
}
