// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/device_clock_filter.h"

#include <gtest/gtest.h>

#include <random>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr auto frame = 20ms;

/// The other clock's true time when the device has counted `position`.
nanoseconds true_time(nanoseconds position, double ppm)
{
    return 5s + nanoseconds(static_cast<std::int64_t>(static_cast<double>(position.count()) /
                                                      (1 + ppm * 1e-6)));
}

class Drift : public ::testing::TestWithParam<double> {};

TEST_P(Drift, FindsRateAndTimeInNoisyMeasurements)
{
    DeviceClockFilter drift;
    std::minstd_rand random(1);
    std::uniform_int_distribution<int> jitter(-500, 500); // us
    for (int i = 0; i < 6000; ++i) {                      // two minutes
        const auto position = i * frame;
        drift.update(position,
                     true_time(position, GetParam()) + std::chrono::microseconds(jitter(random)));
        if (i > 50) {
            const auto error = drift.time() - true_time(position, GetParam());
            ASSERT_LT(std::chrono::abs(error), 1ms) << i;
        }
    }
    EXPECT_NEAR(drift.ppm(), GetParam(), 10);
}

INSTANTIATE_TEST_SUITE_P(BothSigns, Drift, ::testing::Values(-1000, -200, 0, 200, 1000),
                         [](const auto &info) { return "Case" + std::to_string(info.index); });

TEST(DeviceClockFilter, LimitsTheEffectOfAnOutlier)
{
    DeviceClockFilter drift;
    for (int i = 0; i < 3000; ++i)
        drift.update(i * frame, true_time(i * frame, 0) + (i == 2000 ? 300ms : 0ms));
    EXPECT_LT(std::chrono::abs(drift.time() - true_time(2999 * frame, 0)), 100us);
    EXPECT_LT(std::abs(drift.ppm()), 20);
}

TEST(DeviceClockFilter, RestartKeepsTheRate)
{
    DeviceClockFilter drift;
    for (int i = 0; i < 3000; ++i)
        drift.update(i * frame, true_time(i * frame, 300));
    drift.restart();
    drift.update(0ns, 100s);
    EXPECT_EQ(drift.time(), 100s);
    EXPECT_NEAR(drift.ppm(), 300, 5);
}

} // namespace
} // namespace jkvm
