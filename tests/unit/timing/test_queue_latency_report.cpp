// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/queue_latency_report.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class QueueLatencyReportTest : public testing::Test {
protected:
    QueueLatencyReportTest() { report_.reset(15ms); }

    /// Updates once a second. Returns the number of changes of the reported value.
    int update(nanoseconds needed, nanoseconds from, nanoseconds to)
    {
        int changes = 0;
        for (auto now = from; now < to; now += 1s)
            changes += report_.update(needed, now) ? 1 : 0;
        return changes;
    }

    QueueLatencyReport report_;
};

TEST_F(QueueLatencyReportTest, RoundsUpToSteps)
{
    EXPECT_EQ(report_.value(), 20ms);
    report_.reset(40ms);
    EXPECT_EQ(report_.value(), 40ms);
    report_.reset(41ms);
    EXPECT_EQ(report_.value(), 60ms);
}

TEST_F(QueueLatencyReportTest, RisesImmediatelyButOnlyOnceInTenSeconds)
{
    EXPECT_FALSE(report_.update(20ms, 0s));
    EXPECT_TRUE(report_.update(45ms, 1s));
    EXPECT_EQ(report_.value(), 60ms);
    EXPECT_FALSE(report_.update(95ms, 10s));
    EXPECT_TRUE(report_.update(95ms, 11s));
    EXPECT_EQ(report_.value(), 100ms);
}

TEST_F(QueueLatencyReportTest, FallsAfterACalmMinuteToTheMaximumNeededInIt)
{
    report_.update(100ms, 0s);
    EXPECT_EQ(update(20ms, 1s, 30s), 0);
    EXPECT_EQ(update(55ms, 30s, 31s), 0);
    EXPECT_EQ(update(20ms, 31s, 61s), 0);
    EXPECT_TRUE(report_.update(20ms, 61s));
    EXPECT_EQ(report_.value(), 60ms);
}

TEST_F(QueueLatencyReportTest, HigherNeedRestartsTheMinute)
{
    report_.update(100ms, 0s);
    EXPECT_EQ(update(20ms, 1s, 60s), 0);
    EXPECT_FALSE(report_.update(80ms, 60s));
    EXPECT_EQ(update(20ms, 61s, 121s), 0);
    EXPECT_TRUE(report_.update(20ms, 121s));
}

TEST_F(QueueLatencyReportTest, DoesNotFallByASingleStep)
{
    report_.update(60ms, 0s);
    EXPECT_EQ(update(40ms, 1s, 300s), 0);
    EXPECT_EQ(report_.value(), 60ms);
}

} // namespace
} // namespace jkvm
