// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_watch.h"

#include <gtest/gtest.h>

#include <string>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class LatencyWatchTest : public ::testing::Test {
protected:
    /// Records that latency every 20 ms until the average has settled. Returns the changes as
    /// "name@average", with the average in ms.
    std::string record(nanoseconds latency, nanoseconds duration = 2s)
    {
        std::string changes;
        for (const auto end = now_ + duration; now_ < end; now_ += 20ms) {
            monitor_.record(latency);
            if (const auto change = watch_.update(monitor_, thresholds_, now_))
                changes += std::string(changes.empty() ? "" : " ") + name_of(change->level) + "@" +
                           std::to_string(change->values.average / 1ms);
        }
        return changes;
    }

    LatencyMonitor monitor_;
    LatencyThresholds thresholds_{.warning = 50ms, .critical = 200ms};
    LatencyWatch watch_;
    MonotonicTime now_{1s};
};

TEST_F(LatencyWatchTest, RisesWhenTheAverageCrossesEachThreshold)
{
    EXPECT_EQ(record(10ms), "");
    EXPECT_EQ(record(60ms), "high@50");
    EXPECT_EQ(record(300ms), "critical@207");
    EXPECT_EQ(watch_.level(), LatencyWatch::Level::critical);
}

TEST_F(LatencyWatchTest, FallsBelowFourFifthsOfAThreshold)
{
    EXPECT_EQ(record(300ms), "critical@300");
    EXPECT_EQ(record(161ms), "");
    EXPECT_EQ(record(150ms), "high@159");
    EXPECT_EQ(record(45ms), "");
    EXPECT_EQ(record(30ms), "normal@39");
}

TEST_F(LatencyWatchTest, DoesNotRepeatALevelWhileTheAverageIsBetweenItsLimits)
{
    EXPECT_EQ(record(60ms), "high@60");
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(record(45ms) + record(60ms), "");
}

TEST_F(LatencyWatchTest, HoldsALevelForASecond)
{
    EXPECT_EQ(record(10ms), "");
    EXPECT_EQ(record(1s, 20ms), "high@109");
    EXPECT_EQ(record(10ms, 900ms), ""); // below the limit after 200 ms
    EXPECT_EQ(record(10ms, 200ms), "normal@10");
    EXPECT_EQ(record(1s, 20ms), "high@109"); // rises at once
}

TEST_F(LatencyWatchTest, IgnoresTheFirstSamples)
{
    EXPECT_EQ(record(1s, 20ms), "");
    EXPECT_EQ(record(10ms, 160ms), "");
    EXPECT_EQ(watch_.level(), LatencyWatch::Level::normal);
    EXPECT_EQ(record(10ms, 20ms), "critical@393"); // the tenth
}

TEST_F(LatencyWatchTest, UsesOnlyTheThresholdsThatAreOn)
{
    thresholds_ = {.warning = 0ms, .critical = 200ms};
    EXPECT_EQ(record(100ms), "");
    EXPECT_EQ(record(300ms), "critical@204");
    EXPECT_EQ(record(10ms), "normal@148");
    thresholds_ = {.warning = 50ms, .critical = 0ms};
    EXPECT_EQ(record(1s), "high@109");
}

TEST_F(LatencyWatchTest, IsSilentWithoutThresholds)
{
    EXPECT_EQ(record(300ms), "critical@300");
    thresholds_ = {};
    EXPECT_EQ(record(300ms), "");
    EXPECT_EQ(watch_.level(), LatencyWatch::Level::normal);
}

TEST_F(LatencyWatchTest, ReportsQuantilesAndTrend)
{
    record(10ms);
    monitor_.record(100ms);
    for (int i = 1; i <= 9; ++i)
        monitor_.record(100ms + i * 10ms);
    const auto change = watch_.update(monitor_, thresholds_, now_);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->values.current, 190ms);
    EXPECT_EQ(change->values.trend, LatencyTrend::increasing);
    EXPECT_GT(change->values.p95, 100ms);
}

} // namespace
} // namespace jkvm
