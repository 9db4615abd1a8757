// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/ring_size.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(RingSize, DoublesAtTheThirdOverrunWithinAMinute)
{
    RingSize ring(80ms);
    const MonotonicTime start{1h};
    EXPECT_FALSE(ring.on_overrun(start));
    EXPECT_FALSE(ring.on_overrun(start + 30s));
    EXPECT_EQ(ring.time(), 80ms);
    EXPECT_TRUE(ring.on_overrun(start + 60s));
    EXPECT_EQ(ring.time(), 160ms);
    EXPECT_FALSE(ring.on_overrun(start + 61s)); // a new count
}

TEST(RingSize, IgnoresOverrunsFarApart)
{
    RingSize ring(80ms);
    for (int i = 0; i < 100; ++i)
        EXPECT_FALSE(ring.on_overrun(MonotonicTime{i * 31s}));
    EXPECT_EQ(ring.time(), 80ms);
}

TEST(RingSize, GrowsToHalfASecondAtMost)
{
    RingSize ring(80ms);
    int growths = 0;
    for (int i = 0; i < 100; ++i)
        growths += ring.on_overrun(MonotonicTime{i * 1s}) ? 1 : 0;
    EXPECT_EQ(growths, 3); // 160, 320, 500
    EXPECT_EQ(ring.time(), 500ms);
    RingSize large(800ms);
    for (int i = 0; i < 10; ++i)
        EXPECT_FALSE(large.on_overrun(MonotonicTime{i * 1s}));
    EXPECT_EQ(large.time(), 800ms);
}

} // namespace
} // namespace jkvm
