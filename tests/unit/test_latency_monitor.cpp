// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_monitor.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(LatencyMonitor, IsEmptyAtFirst)
{
    const LatencyMonitor monitor;
    EXPECT_EQ(monitor.values().samples, 0u);
    EXPECT_EQ(monitor.values().maximum, 0ns);
}

TEST(LatencyMonitor, FirstSampleIsTakenAsItIs)
{
    LatencyMonitor monitor;
    monitor.record(30ms);
    EXPECT_EQ(monitor.values().current, 30ms);
    EXPECT_EQ(monitor.values().average, 30ms);
    EXPECT_EQ(monitor.values().minimum, 30ms);
    EXPECT_EQ(monitor.values().maximum, 30ms);
}

TEST(LatencyMonitor, AverageMovesByATenthOfTheDifference)
{
    LatencyMonitor monitor;
    monitor.record(30ms);
    monitor.record(50ms);
    EXPECT_EQ(monitor.values().average, 32ms);
    monitor.record(12ms);
    EXPECT_EQ(monitor.values().average, 30ms);
    EXPECT_EQ(monitor.values().minimum, 12ms);
    EXPECT_EQ(monitor.values().maximum, 50ms);
    EXPECT_EQ(monitor.values().current, 12ms);
    EXPECT_EQ(monitor.values().samples, 3u);
}

TEST(LatencyMonitor, KnowsTheTail)
{
    LatencyMonitor monitor;
    for (int i = 0; i < 100; ++i)
        monitor.record(i < 90 ? 20ms : i < 98 ? 40ms : 80ms);
    const auto values = monitor.values();
    EXPECT_NEAR(static_cast<double>(values.p50.count()), 20e6, 0.4e6);
    EXPECT_NEAR(static_cast<double>(values.p95.count()), 40e6, 0.8e6);
    EXPECT_NEAR(static_cast<double>(values.p99.count()), 80e6, 1.6e6);
}

} // namespace
} // namespace jkvm
