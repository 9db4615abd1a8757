// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// A clock that returns the given times in order.
auto readings(std::vector<nanoseconds> times)
{
    return [times = std::move(times), next = std::size_t{0}]() mutable {
        return times.at(std::min(next++, times.size() - 1));
    };
}

TEST(ReadTogether, ReturnsBothTimesOfOneInstant)
{
    const auto [one, other] = read_together(readings({7s}), readings({100us, 120us}));
    EXPECT_EQ(one, 7s);
    EXPECT_EQ(other, 110us);
}

TEST(ReadTogether, RepeatsAfterPreemption)
{
    const auto [one, other] = read_together(readings({1s, 7s}), readings({0us, 50ms, 50ms + 10us}));
    EXPECT_EQ(one, 7s);
    EXPECT_EQ(other, 50ms + 5us);
}

TEST(ReadTogether, RepeatsWhenAClockIsSetBack)
{
    const auto [one, other] = read_together(readings({1s, 7s}), readings({1h, 0us, 10us}));
    EXPECT_EQ(one, 7s);
    EXPECT_EQ(other, 5us);
}

TEST(ReadTogether, ReturnsTheLastReadingIfEveryOneIsPreempted)
{
    const auto [one, other] =
        read_together(readings({1s, 2s, 3s, 4s, 5s}), readings({1ms, 2ms, 3ms, 4ms, 5ms, 6ms}));
    EXPECT_EQ(one, 5s);
    EXPECT_EQ(other, 5500us);
}

} // namespace
} // namespace jkvm
