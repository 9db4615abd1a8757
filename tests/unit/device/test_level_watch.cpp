// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/level_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using Samples = std::vector<std::int16_t>;

const Samples loud = {0, 0, 8000, -8000, 100, 100};
const Samples silent = {0, 0, 32, -32, 1, 1}; // -60.2 dBFS
const Samples clipped = {32767, 0, 32767, 0, 32767, 0};

class LevelWatchTest : public ::testing::Test {
protected:
    /// Records frames of 20 ms for `time`. Returns the changes as "name@time since the first frame
    /// in ms".
    std::string record(const Samples &frame, nanoseconds time = 20ms, unsigned channels = 2)
    {
        std::string changes;
        for (const auto end = now_ + time; now_ < end;) {
            now_ += 20ms;
            if (const auto change = watch_.record(frame, channels, 20ms, silence_after_)) {
                last_ = *change;
                changes += std::string(changes.empty() ? "" : " ") + name_of(change->state) + "@" +
                           std::to_string(now_ / 1ms);
            }
        }
        return changes;
    }

    LevelWatch watch_;
    LevelWatch::Change last_{};
    nanoseconds silence_after_ = 3s;
    nanoseconds now_{0};
};

TEST_F(LevelWatchTest, ReportsSilenceOnceItHasLasted)
{
    EXPECT_EQ(record(loud, 1s), "");
    EXPECT_EQ(record(silent, 10s), "silence@4000");
    EXPECT_EQ(last_.silent_time, 3s);
    EXPECT_LT(last_.peak, 1e-3);
}

TEST_F(LevelWatchTest, ReportsAudioAgainWithItsFirstFrame)
{
    record(silent, 10s);
    EXPECT_EQ(record(loud, 1s), "audio@10020");
    EXPECT_EQ(last_.silent_time, 10s);
    EXPECT_NEAR(last_.peak, 0.244, 1e-3);
}

TEST_F(LevelWatchTest, IgnoresShortPauses)
{
    std::string changes;
    for (int i = 0; i < 10; ++i)
        changes += record(silent, 2980ms) + record(loud);
    EXPECT_EQ(changes, "");
}

TEST_F(LevelWatchTest, ReportsNoSilenceIfToldSo)
{
    silence_after_ = 0ms;
    EXPECT_EQ(record(silent, 1h), "");
}

TEST_F(LevelWatchTest, ReportsClippingUntilTwoSecondsWithoutIt)
{
    EXPECT_EQ(record(clipped), "clipping@20");
    EXPECT_EQ(record(loud, 1s) + record(clipped) + record(loud, 1s), "");
    EXPECT_EQ(record(loud, 2s), "audio@3040");
}

TEST_F(LevelWatchTest, TakesFullScaleForClippingOnlyInARow)
{
    EXPECT_EQ(record({32767, -32768, 32767, -32768, 0, 0, 32767, -32768}), "");
    EXPECT_EQ(record({32767, 32767, -32768, 32767, 32767}, 20ms, 1), "");
    EXPECT_EQ(record({0, -32768, 0, -32768, 0, -32768}), "clipping@60");
}

TEST_F(LevelWatchTest, ReportsClippingAfterSilenceAndSilenceAfterClipping)
{
    record(silent, 4s);
    EXPECT_EQ(record(clipped), "clipping@4020");
    EXPECT_EQ(record(silent, 4s), "audio@6020 silence@7020");
}

TEST_F(LevelWatchTest, CountsSilenceAnewAfterAnInterruption)
{
    record(silent, 2s);
    watch_.interrupt();
    EXPECT_EQ(record(silent, 3s), "silence@5000");
}

} // namespace
} // namespace jkvm
