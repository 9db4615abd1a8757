// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/device_clock.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};
constexpr auto frame = 20ms;

/// Lets a device that is `ppm` fast run for that long. Returns the time afterwards.
MonotonicTime run(DeviceClock &clock, MonotonicTime begin, nanoseconds time, double ppm)
{
    auto now = begin;
    nanoseconds last = clock.at(now);
    for (nanoseconds position = frame; now < begin + time; position += frame) {
        now = begin + nanoseconds(static_cast<std::int64_t>(static_cast<double>(position.count()) /
                                                            (1 + ppm * 1e-6)));
        clock.update(position, now);
        EXPECT_GT(clock.at(now), last);
        EXPECT_LT(clock.at(now) - last, frame + 100us); // never jumps
        last = clock.at(now);
    }
    return now;
}

double rate(const DeviceClock &clock, MonotonicTime now)
{
    return 1e6 * std::chrono::duration<double>(clock.at(now + 1s) - clock.at(now) - 1s).count();
}

TEST(DeviceClock, IsTheMonotonicClockBeforeADeviceRuns)
{
    const DeviceClock clock;
    EXPECT_EQ(clock.at(start), start.time_since_epoch());
}

TEST(DeviceClock, RunsAtTheRateOfTheDeviceAndContinuesWithoutIt)
{
    for (const double ppm : {300.0, -300.0}) {
        DeviceClock clock;
        const auto end = run(clock, start, 60s, ppm);
        EXPECT_NEAR(rate(clock, end), ppm, 5);
        EXPECT_NEAR(rate(clock, end + 10s), ppm, 5);
        // Another device, started later, with another clock.
        const auto later = run(clock, end + 10s, 60s, -ppm);
        EXPECT_NEAR(rate(clock, later), -ppm, 5);
    }
}

TEST(DeviceClock, DoesNotFollowImplausibleRates)
{
    DeviceClock clock;
    const auto end = run(clock, start, 60s, 50000);
    EXPECT_LE(rate(clock, end), 2001);
}

} // namespace
} // namespace jkvm
