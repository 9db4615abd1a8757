// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToTheLongestIntervalMinusAtMostAQuarter)
{
    for (std::uint32_t seed = 1; seed < 100; ++seed) {
        Backoff backoff(50ms, 2s, seed);
        for (const nanoseconds full : {50ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 2000ms, 2000ms}) {
            const auto interval = backoff.next();
            EXPECT_LE(interval, full);
            EXPECT_GE(interval, full * 3 / 4);
        }
    }
}

TEST(Backoff, RestartsFromTheFirstIntervalAfterReset)
{
    Backoff backoff(50ms, 2s, 1);
    for (int i = 0; i < 10; ++i)
        (void)backoff.next();
    backoff.reset();
    EXPECT_LE(backoff.next(), 50ms);
}

TEST(Backoff, SpreadsClientsThatStartAtTheSameTime)
{
    std::set<nanoseconds> intervals;
    for (std::uint32_t seed = 1; seed <= 20; ++seed)
        intervals.insert(Backoff(1s, 2s, seed).next());
    EXPECT_GT(intervals.size(), 15u);
}

} // namespace
} // namespace jkvm
