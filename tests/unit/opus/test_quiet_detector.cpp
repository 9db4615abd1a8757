// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/quiet_detector.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(QuietDetector, FramesOfConstantLevelAreNotQuiet)
{
    for (const auto level : {-3.0, -20.0, -45.0, -59.0}) {
        QuietDetector detector;
        for (int i = 0; i < 1000; ++i)
            ASSERT_FALSE(detector.record(level + i % 7, 20ms)) << level;
    }
}

TEST(QuietDetector, FramesFarBelowTheLoudestAreQuiet)
{
    QuietDetector detector;
    detector.record(-20, 20ms);
    EXPECT_FALSE(detector.record(-44, 20ms));
    EXPECT_TRUE(detector.record(-46, 20ms));
}

TEST(QuietDetector, NearlySilentFramesAreQuiet)
{
    QuietDetector detector;
    EXPECT_TRUE(detector.record(-70, 20ms));
    EXPECT_TRUE(detector.record(-200, 20ms));
}

TEST(QuietDetector, AdaptsToALowerLevel)
{
    QuietDetector detector;
    detector.record(-10, 20ms);
    EXPECT_TRUE(detector.record(-40, 20ms));
    for (auto time = 0ms; time < 6s; time += 20ms)
        detector.record(-40, 20ms);
    EXPECT_FALSE(detector.record(-40, 20ms)) << "the reference falls by 1 dB per second";
}

} // namespace
} // namespace jkvm
