// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/frame_hold.h"

#include <gtest/gtest.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};
const std::array packet{std::byte{0xFC}};

TEST(FrameHold, KeepsTheNewestFramesUpToItsDuration)
{
    FrameHold hold(60ms);
    std::size_t dropped = 0;
    for (int i = 0; i < 5; ++i)
        dropped += hold.add(packet, WallTime(nanoseconds(i)), 20ms, start + i * 1ms);
    EXPECT_EQ(dropped, 2u);
    const auto frames = hold.take();
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames.front().captured, WallTime(2ns));
    EXPECT_EQ(frames.back().captured, WallTime(4ns));
    EXPECT_EQ(hold.size(), 0u);
}

TEST(FrameHold, DropsFramesThatAreTooOld)
{
    FrameHold hold(60ms);
    hold.add(packet, {}, 20ms, start);
    EXPECT_EQ(hold.expire(start + 60ms), 0u);
    EXPECT_EQ(hold.expire(start + 61ms), 1u);
    EXPECT_EQ(hold.size(), 0u);
}

TEST(FrameHold, HoldsNothingWithALimitOfZero)
{
    FrameHold hold(0ms);
    EXPECT_EQ(hold.add(packet, {}, 20ms, start), 1u);
    EXPECT_EQ(hold.size(), 0u);
}

} // namespace
} // namespace jkvm
