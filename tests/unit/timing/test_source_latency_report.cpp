// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/source_latency_report.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class SourceLatencyReportTest : public testing::Test {
protected:
    void record(nanoseconds latency, int frames = 100)
    {
        for (int i = 0; i < frames; ++i)
            report_.record(latency);
    }

    SourceLatencyReport report_{26500us};
};

TEST_F(SourceLatencyReportTest, ReturnsTheExpectedLatencyBeforeTheFirstFrame)
{
    EXPECT_EQ(report_.value(), 40ms) << "with the margin, rounded up";
    report_.record(47ms);
    EXPECT_EQ(report_.value(), 60ms);
}

TEST_F(SourceLatencyReportTest, IgnoresJitterAndAStall)
{
    record(27ms);
    for (int i = 0; i < 1000; ++i) {
        report_.record(27ms + (i % 7) * 10ms);
        ASSERT_EQ(report_.value(), 40ms);
    }
    record(500ms, 20);
    record(27ms);
    EXPECT_EQ(report_.value(), 40ms);
}

TEST_F(SourceLatencyReportTest, RisesWithLongerFrames)
{
    record(27ms);
    record(47ms);
    EXPECT_EQ(report_.value(), 60ms);
}

TEST_F(SourceLatencyReportTest, FallsByTwoStepsOrMore)
{
    record(47ms);
    EXPECT_EQ(report_.value(), 60ms);
    record(37ms);
    EXPECT_EQ(report_.value(), 60ms) << "one step is too small";
    record(27ms);
    EXPECT_EQ(report_.value(), 40ms);
}

TEST_F(SourceLatencyReportTest, FollowsTheFirstFrameOfAnotherSenderAtOnce)
{
    record(27ms);
    report_.restart();
    report_.record(57ms);
    EXPECT_EQ(report_.value(), 70ms);
    report_.restart();
    report_.record(27ms);
    EXPECT_EQ(report_.value(), 40ms);
}

TEST_F(SourceLatencyReportTest, IsStableAcrossReconnects)
{
    record(29ms);
    report_.restart();
    report_.record(31ms);
    EXPECT_EQ(report_.value(), 50ms);
    for (int i = 0; i < 10; ++i) {
        report_.restart();
        report_.record(i % 2 == 0 ? 29ms : 31ms);
        EXPECT_EQ(report_.value(), 50ms);
    }
}

TEST_F(SourceLatencyReportTest, IsBounded)
{
    record(9900ms);
    EXPECT_EQ(report_.value(), SourceLatencyReport::max_latency);
}

TEST_F(SourceLatencyReportTest, IsNeverNegative)
{
    record(50ms);
    record(-5s);
    EXPECT_EQ(report_.value(), 10ms);
}

} // namespace
} // namespace jkvm
