// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/arrival_drift_estimator.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class ArrivalDriftEstimatorTest : public testing::Test {
protected:
    /// Observes frames every 20 ms from a clock that is slow by `ppm`, some of them late.
    void run(nanoseconds from, nanoseconds length, double ppm)
    {
        for (auto media = from; media < from + length; media += 20ms) {
            const auto slow = nanoseconds(static_cast<std::int64_t>(
                static_cast<double>((media - from).count()) * ppm * 1e-6));
            random_ = random_ * 1664525 + 1013904223;
            const auto jitter = (random_ >> 24) * 100us; // up to 25 ms
            const auto arrival = std::max(last_arrival_, media + base_ + slow + jitter);
            estimator_.observe(arrival, arrival - media);
            last_arrival_ = arrival;
        }
        base_ += nanoseconds(
            static_cast<std::int64_t>(static_cast<double>(length.count()) * ppm * 1e-6));
    }

    ArrivalDriftEstimator estimator_;
    nanoseconds base_{5ms};
    nanoseconds last_arrival_{0};
    std::uint32_t random_ = 1;
};

TEST_F(ArrivalDriftEstimatorTest, MeasuresSlowClockThroughJitter)
{
    run(0s, 120s, 200);
    EXPECT_NEAR(estimator_.ppm(), 200, 10);
}

TEST_F(ArrivalDriftEstimatorTest, MeasuresFastClockThroughJitter)
{
    run(0s, 120s, -500);
    EXPECT_NEAR(estimator_.ppm(), -500, 10);
}

TEST_F(ArrivalDriftEstimatorTest, ReturnsZeroForAFewSeconds)
{
    run(0s, 15s, 500);
    EXPECT_EQ(estimator_.ppm(), 0);
}

TEST_F(ArrivalDriftEstimatorTest, DetectsNoDriftInJitter)
{
    for (int second = 0; second < 600; ++second) {
        run(second * 1s, 1s, 0);
        EXPECT_NEAR(estimator_.ppm(), 0, 2) << "after " << second << " s";
    }
}

TEST_F(ArrivalDriftEstimatorTest, DetectsNoDriftInALongerTransit)
{
    run(0s, 100s, 0);
    const auto before = estimator_.ppm();
    base_ += 200ms;
    run(100s, 60s, 0);
    EXPECT_NEAR(before, 0, 10);
    // 200 ms within half a window are 6000 ppm, more than any clock drifts.
    EXPECT_NEAR(estimator_.ppm(), 0, 10);
}

TEST_F(ArrivalDriftEstimatorTest, AccumulatesDriftInTheReference)
{
    estimator_.set_following(true, 0s);
    run(0s, 120s, 300);
    const auto before = estimator_.reference(120s);
    run(120s, 120s, 300);
    const auto increase = estimator_.reference(240s) - before;
    EXPECT_NEAR(milliseconds_of(increase), 36, 1);
}

TEST_F(ArrivalDriftEstimatorTest, MovesTheReferenceWithoutJumps)
{
    estimator_.set_following(true, 0s);
    auto last = 0ns;
    for (int second = 0; second < 120; ++second) {
        run(second * 1s, 1s, 400);
        const auto now = estimator_.reference(last_arrival_);
        EXPECT_LT(now - last, 500us) << "after " << second << " s";
        last = now;
    }
    EXPECT_GT(last, 20ms);
}

TEST_F(ArrivalDriftEstimatorTest, KeepsTheReferenceConstantUnlessFollowing)
{
    run(0s, 120s, 300);
    EXPECT_EQ(estimator_.reference(120s), 0ns);
    estimator_.set_following(true, 120s);
    EXPECT_NEAR(milliseconds_of(estimator_.reference(130s)), 3, 0.2);
    estimator_.set_following(false, 130s);
    EXPECT_EQ(estimator_.reference(500s), estimator_.reference(130s));
    EXPECT_GT(estimator_.reference(500s), 0ns);
}

TEST_F(ArrivalDriftEstimatorTest, ForgetsMinimumAfterAMinute)
{
    estimator_.observe(0s, 3ms);
    for (auto time = 20ms; time < 60s; time += 20ms)
        estimator_.observe(time, 8ms);
    EXPECT_EQ(estimator_.minimum(), 3ms);
    EXPECT_EQ(estimator_.recent_minimum(), 8ms);
    for (auto time = 60s; time < 70s; time += 1s)
        estimator_.observe(time, 8ms);
    EXPECT_EQ(estimator_.minimum(), 8ms);
}

TEST_F(ArrivalDriftEstimatorTest, ForgetsMinimumInAPause)
{
    estimator_.observe(0s, 3ms);
    estimator_.observe(1s, 3ms);
    estimator_.observe(300s, 8ms);
    EXPECT_EQ(estimator_.minimum(), 8ms);
}

TEST_F(ArrivalDriftEstimatorTest, AppliesNewMinimumAtOnce)
{
    estimator_.observe(0s, 3ms);
    estimator_.observe(1500ms, 5ms);
    estimator_.observe(1520ms, 1ms);
    EXPECT_EQ(estimator_.minimum(), 1ms);
    EXPECT_EQ(estimator_.recent_minimum(), 1ms);
}

TEST_F(ArrivalDriftEstimatorTest, KeepsOnlyFollowingOnReset)
{
    estimator_.set_following(true, 0s);
    run(0s, 120s, 300);
    estimator_.reset();
    EXPECT_EQ(estimator_.ppm(), 0);
    EXPECT_EQ(estimator_.reference(200s), 0ns);
    EXPECT_EQ(estimator_.minimum(), 0ns);
    base_ = 5ms;
    run(200s, 120s, 300);
    EXPECT_GT(estimator_.reference(320s), 10ms);
}

} // namespace
} // namespace jkvm
