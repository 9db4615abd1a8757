// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_report.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class LatencyReportTest : public testing::Test {
protected:
    void record(nanoseconds latency, int frames = 100)
    {
        for (int i = 0; i < frames; ++i)
            report_.record(latency);
    }

    LatencyReport report_{26ms};
};

TEST_F(LatencyReportTest, IsTheInitialOneUntilTheFirstFrame)
{
    EXPECT_EQ(report_.value(), 26ms);
    report_.record(27ms);
    EXPECT_EQ(report_.value(), 40ms) << "with the margin, rounded up";
}

TEST_F(LatencyReportTest, JitterAndAStallDoNotChangeIt)
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

TEST_F(LatencyReportTest, LongerFramesRaiseItWithinSeconds)
{
    record(27ms);
    record(47ms);
    EXPECT_EQ(report_.value(), 60ms);
}

TEST_F(LatencyReportTest, ComesDownWhenThatIsWorthIt)
{
    record(47ms);
    EXPECT_EQ(report_.value(), 60ms);
    record(37ms);
    EXPECT_EQ(report_.value(), 60ms) << "one step is not worth a glitch";
    record(27ms);
    EXPECT_EQ(report_.value(), 40ms);
}

TEST_F(LatencyReportTest, AnotherSendersFirstFrameDecides)
{
    record(47ms);
    report_.restart();
    report_.record(37ms);
    EXPECT_EQ(report_.value(), 50ms);
}

TEST_F(LatencyReportTest, ClockThatDisagreesMakesNoNegativeLatency)
{
    report_.record(-5s);
    EXPECT_EQ(report_.value(), 10ms);
}

} // namespace
} // namespace jkvm
