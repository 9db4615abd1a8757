// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/pointer_edge_detector.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};

class PointerEdges : public ::testing::Test {
protected:
    /// The pointer of a device with these steps.
    static std::uint64_t pointer_at(MonotonicTime time, std::uint64_t step)
    {
        const auto played = static_cast<std::uint64_t>((time - start) * 48 / 1ms);
        return played - played % step;
    }

    /// Reads the pointer whenever next_reading() requests it. Returns the time of the first edge
    /// found.
    MonotonicTime find_edge(std::uint64_t step, MonotonicTime earliest)
    {
        for (readings_ = 1;; ++readings_) {
            now_ = std::max(now_ + 1us, edges_.next_reading(clock_, earliest));
            if (const auto time = edges_.on_reading(pointer_at(now_, step), now_)) {
                clock_.observe(pointer_at(now_, step), *time);
                return *time;
            }
        }
    }

    PlaybackClock clock_{48000};
    PointerEdgeDetector edges_{48000};
    MonotonicTime now_ = start;
    int readings_ = 0;
};

TEST_F(PointerEdges, AreMetWithFewReadingsOnceTheStepIsKnown)
{
    for (const std::uint64_t step : {48, 240, 960}) {
        edges_.restart();
        clock_ = PlaybackClock(48000);
        const auto step_time = nanoseconds(1s) * static_cast<std::int64_t>(step) / 48000;
        for (int i = 0; i < 50; ++i) {
            const auto time = find_edge(step, now_ + 15ms);
            const auto age = (time - start) % step_time;
            EXPECT_LE(std::min(age, step_time - age), PointerEdgeDetector::resolution);
            if (i > 3) {
                EXPECT_LE(readings_, 4) << step;
            }
        }
        EXPECT_FALSE(edges_.is_exact());
    }
}

TEST_F(PointerEdges, AreEverywhereOnAnExactPointer)
{
    for (int i = 0; i < 4; ++i)
        find_edge(1, now_);
    EXPECT_TRUE(edges_.is_exact());
    EXPECT_EQ(find_edge(1, now_ + 20ms), now_);
    EXPECT_EQ(readings_, 1);
}

TEST_F(PointerEdges, AreNotSeenByReadingsThatAreFarApart)
{
    EXPECT_FALSE(edges_.on_reading(0, start));
    EXPECT_FALSE(edges_.on_reading(960, start + 20ms));
    EXPECT_FALSE(edges_.on_reading(1920, start + 40ms));
}

TEST_F(PointerEdges, AreTakenLessExactlyWhenEveryReadingIsLate)
{
    // Three edges are needed before audio is played, which has to begin within half a second even
    // if each wake-up is late.
    for (const nanoseconds interval : {nanoseconds(1500us), nanoseconds(3ms), nanoseconds(5ms)}) {
        edges_.restart();
        MonotonicTime now = start;
        for (int i = 0; i < 3; ++i) {
            do {
                now += interval;
            } while (!edges_.on_reading(pointer_at(now, 1), now));
        }
        EXPECT_LE(now - start, 480ms) << interval.count() << " ns";
    }
}

TEST_F(PointerEdges, AreTakenExactlyForATenthOfASecond)
{
    // A pointer that moves by 10 ms, read every 1.5 ms: no edge is within 0.5 ms of a reading.
    for (auto now = start; now < start + 100ms; now += 1500us)
        EXPECT_FALSE(edges_.on_reading(pointer_at(now, 480), now));
}

TEST_F(PointerEdges, AreFoundAgainWhenThePredictionIsTooLate)
{
    for (int i = 0; i < 4; ++i)
        find_edge(480, now_ + 15ms);
    // The clock steps by 3 ms, so each predicted edge has passed at the time of its reading.
    clock_.restart();
    clock_.observe(pointer_at(now_, 480), now_ + 3ms);
    find_edge(480, now_ + 15ms);
    EXPECT_LE(readings_, 25);
}

TEST_F(PointerEdges, AreCoarseAgainWhenAPointerStopsMoving)
{
    for (int i = 0; i < 4; ++i)
        find_edge(1, now_);
    ASSERT_TRUE(edges_.is_exact());
    const auto pointer = pointer_at(now_, 1);
    EXPECT_FALSE(edges_.on_reading(pointer, now_ + 1ms));
    EXPECT_FALSE(edges_.is_exact());
}

} // namespace
} // namespace jkvm
