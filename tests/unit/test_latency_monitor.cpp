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

} // namespace
} // namespace jkvm
