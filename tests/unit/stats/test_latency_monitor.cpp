// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_monitor.h"

#include "core/base/guarded.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// Trend of a latency that rises by 1 ms for each '+', falls for each '-' and stays for each '='.
LatencyTrend trend_of(std::string_view steps)
{
    LatencyMonitor monitor;
    auto latency = 100ms;
    monitor.record(latency);
    for (const char step : steps) {
        latency += step == '+' ? 1ms : step == '-' ? -1ms : 0ms;
        monitor.record(latency);
    }
    EXPECT_EQ(monitor.values().trend, monitor.trend());
    return monitor.trend();
}

TEST(LatencyMonitor, IsInitiallyEmpty)
{
    const LatencyMonitor monitor;
    EXPECT_EQ(monitor.values().samples, 0u);
    EXPECT_EQ(monitor.values().maximum, 0ns);
}

TEST(LatencyMonitor, FirstSampleSetsAllValues)
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

TEST(LatencyMonitor, ReportsQuantiles)
{
    LatencyMonitor monitor;
    for (int i = 0; i < 100; ++i)
        monitor.record(i < 90 ? 20ms : i < 98 ? 40ms : 80ms);
    const auto values = monitor.values();
    EXPECT_NEAR(static_cast<double>(values.p50.count()), 20e6, 0.4e6);
    EXPECT_NEAR(static_cast<double>(values.p95.count()), 40e6, 0.8e6);
    EXPECT_NEAR(static_cast<double>(values.p99.count()), 80e6, 1.6e6);
}

TEST(LatencyMonitor, JitterIsTheMeanDeviationFromTheAverage)
{
    LatencyMonitor monitor;
    monitor.record(30ms);
    EXPECT_EQ(monitor.values().jitter, 0ms);
    monitor.record(50ms); // average 32
    EXPECT_EQ(monitor.values().jitter, 9ms);
    monitor.record(12ms); // average 30
    EXPECT_EQ(monitor.values().jitter, 12ms);
}

TEST(LatencyMonitor, JitterCoversTheHistoryOnly)
{
    LatencyMonitor monitor;
    for (int i = 0; i < 1000; ++i)
        monitor.record(i % 2 == 0 ? 20ms : 60ms);
    EXPECT_NEAR(static_cast<double>(monitor.values().jitter.count()), 18.95e6, 0.05e6);
    // Lets the average settle, then fills the history.
    for (std::size_t i = 0; i < 200 + LatencyMonitor::history; ++i)
        monitor.record(40ms);
    EXPECT_LT(monitor.values().jitter, 1us);
    EXPECT_EQ(monitor.values().minimum, 20ms);
    EXPECT_EQ(monitor.values().maximum, 60ms);
}

TEST(LatencyMonitor, TrendNeedsTenSamples)
{
    EXPECT_EQ(trend_of("++++++++"), LatencyTrend::stable);
    EXPECT_EQ(trend_of("+++++++++"), LatencyTrend::increasing);
}

TEST(LatencyMonitor, TrendIsTheDirectionOfMoreThanSixOfNineSteps)
{
    EXPECT_EQ(trend_of("+++++++=="), LatencyTrend::increasing);
    EXPECT_EQ(trend_of("++++++==="), LatencyTrend::stable);
    EXPECT_EQ(trend_of("-------++"), LatencyTrend::decreasing);
    EXPECT_EQ(trend_of("------==="), LatencyTrend::stable);
}

TEST(LatencyMonitor, TrendIsVolatileWhenMoreThanSevenStepsMoveEitherWay)
{
    EXPECT_EQ(trend_of("+-+-+-+-="), LatencyTrend::unsteady);
    EXPECT_EQ(trend_of("+-+-+-+=="), LatencyTrend::stable);
    EXPECT_EQ(trend_of("========="), LatencyTrend::stable);
}

TEST(LatencyMonitor, TrendCoversTheLastTenSamplesOnly)
{
    // Covers the wrap-around of the history's ring as well.
    for (std::size_t before = 0; before <= LatencyMonitor::history; ++before) {
        const std::string steps(before, '-');
        EXPECT_EQ(trend_of(steps + "+++++++++"), LatencyTrend::increasing) << before;
    }
}

TEST(LatencyMonitor, CountsEachSampleInTheHistogram)
{
    LatencyMonitor monitor;
    monitor.record(30ms);
    monitor.record(40ms);
    EXPECT_EQ(monitor.histogram().sum(), 70ms);
}

TEST(LatencyMonitor, UnrelatedClocksDoNotOverflow)
{
    LatencyMonitor monitor;
    for (int i = 0; i < 200; ++i)
        monitor.record(i % 2 == 0 ? nanoseconds::max() : nanoseconds::min());
    const auto values = monitor.values();
    EXPECT_EQ(values.maximum, LatencyMonitor::maximum_latency);
    EXPECT_EQ(values.minimum, -LatencyMonitor::maximum_latency);
    EXPECT_LE(values.jitter, 2 * LatencyMonitor::maximum_latency);
    EXPECT_EQ(monitor.histogram().sum(), 100 * LatencyMonitor::maximum_latency);
}

TEST(LatencyMonitor, SnapshotsAreConsistent)
{
    Guarded<LatencyMonitor> shared;
    constexpr std::uint64_t samples = 1000;
    std::thread writer([&] {
        for (std::uint64_t i = 0; i < samples; ++i)
            shared.lock()->record(20ms);
    });
    std::uint64_t seen = 0;
    while (seen < samples) {
        const auto values = shared.snapshot().values();
        EXPECT_GE(values.samples, seen);
        EXPECT_EQ(values.current, values.samples > 0 ? 20ms : 0ms);
        seen = values.samples;
    }
    writer.join();
}

} // namespace
} // namespace jkvm
