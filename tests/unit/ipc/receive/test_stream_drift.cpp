// SPDX-License-Identifier: LGPL-2.1-or-later
// Streams of an hour on simulated clocks: the sender's sample clock drifts against the wall clock.
#include "core/ipc/receive/received_stream.h"
#include "core/timing/arrival_drift_estimator.h"
#include "core/timing/capture_timeline.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <random>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr WallTime epoch{1'700'000'000s};
constexpr nanoseconds frame = 20ms;
constexpr int one_hour = 3600 * 50; // frames
constexpr int ten_minutes = one_hour / 6;

/// A sender, the stream that receives its frames, and the drift estimator of a queue after it.
class DriftingSender {
public:
    explicit DriftingSender(TimestampMode mode = TimestampMode::capture) : stream_(mode)
    {
        stream_.begin_connection();
    }

    /// Sends a frame that was captured at `captured` and arrives `transit` later.
    void send(nanoseconds captured, nanoseconds transit)
    {
        const auto arrival = captured + transit;
        const auto outcome = stream_.take(wire::OpusFrame{packet_, epoch + captured},
                                          {.running = arrival, .wall = epoch + arrival});
        const auto *taken = std::get_if<ReceivedStream::Frame>(&outcome);
        if (taken == nullptr)
            return;
        gaps_ += taken->discontinuity ? 1 : 0;
        largest_error_ = std::max(largest_error_, std::chrono::abs(taken->time - captured));
        EXPECT_LE(end_, taken->time);
        end_ = taken->time + taken->duration;
        queue_.observe(arrival, arrival - taken->time);
    }
    [[nodiscard]] const ReceivedStream::Stats &stats() const { return stream_.stats(); }
    [[nodiscard]] const ReceivedStream &stream() const { return stream_; }
    /// Discontinuities; the first frame is none.
    [[nodiscard]] int gaps() const { return gaps_ - 1; }
    [[nodiscard]] nanoseconds largest_error() const { return largest_error_; }
    [[nodiscard]] double queue_ppm() const { return queue_.ppm(); }

private:
    const std::array<std::byte, 3> packet_{std::byte{0xFC}, std::byte{1}, std::byte{2}};
    ReceivedStream stream_;
    ArrivalDriftEstimator queue_;
    int gaps_ = 0;
    nanoseconds end_{0};
    nanoseconds largest_error_{0};
};

nanoseconds capture_time(int i, double ppm)
{
    return 1s + nanoseconds(std::llround(static_cast<double>(i * frame.count()) / (1 + ppm / 1e6)));
}

class StreamDrift : public testing::TestWithParam<double> {
protected:
    nanoseconds jittered_transit() { return 27ms + nanoseconds(std::llround(jitter_(random_))); }
    static void expect_no_loss(const DriftingSender &sender)
    {
        EXPECT_EQ(sender.gaps(), 0);
        EXPECT_EQ(sender.stats().dropped_late, 0u);
        EXPECT_EQ(sender.stats().lost, 0u);
    }

    std::mt19937 random_{1};
    std::exponential_distribution<double> jitter_{1.0 / 500e3}; // mean 0.5 ms
};

TEST_P(StreamDrift, LosesNothingInAnHourOfEvenCaptureTimes)
{
    DriftingSender sender;
    for (int i = 0; i < one_hour; ++i)
        sender.send(capture_time(i, GetParam()), jittered_transit());
    expect_no_loss(sender);
    EXPECT_LE(sender.largest_error(), 2ms);
}

TEST_P(StreamDrift, LosesNothingFromASourceThatSlews)
{
    // jkvmaudiosrc steps its own timestamps by up to 1 ms.
    DriftingSender sender;
    CaptureTimeline source;
    for (int i = 0; i < ten_minutes; ++i)
        sender.send(source.place(i * frame, capture_time(i, GetParam()), frame).time,
                    jittered_transit());
    expect_no_loss(sender);
    EXPECT_NEAR(sender.stream().drift_ppm(), GetParam(), 30);
    EXPECT_NEAR(sender.queue_ppm(), 0, 30);
}

TEST_P(StreamDrift, LosesNothingWithoutTimestamps)
{
    DriftingSender sender(TimestampMode::arrival);
    for (int i = 0; i < ten_minutes; ++i)
        sender.send(capture_time(i, GetParam()), jittered_transit());
    expect_no_loss(sender);
}

TEST_P(StreamDrift, ReportsDriftAfterAMinuteAndHidesItFromTheQueue)
{
    DriftingSender sender;
    for (int i = 0; i < 150 * 50; ++i) {
        sender.send(capture_time(i, GetParam()), jittered_transit());
        if (i < 60 * 50)
            continue;
        ASSERT_NEAR(sender.stream().drift_ppm(), GetParam(), 30) << i;
        ASSERT_NEAR(sender.queue_ppm(), 0, 30) << i;
    }
}

TEST_P(StreamDrift, CountsExactlyTheFramesThatAreLost)
{
    DriftingSender sender;
    unsigned lost = 0;
    for (int i = 0; i < ten_minutes; ++i) {
        const bool is_lost = i % 1000 == 500;
        lost += is_lost ? 1 : 0;
        if (!is_lost)
            sender.send(capture_time(i, GetParam()), jittered_transit());
    }
    EXPECT_EQ(sender.gaps(), static_cast<int>(lost));
    EXPECT_EQ(sender.stats().lost, lost);
    EXPECT_NEAR(sender.stream().drift_ppm(), GetParam(), 30);
}

INSTANTIATE_TEST_SUITE_P(Ppm, StreamDrift,
                         testing::Values(-1000.0, -500.0, -50.0, 50.0, 500.0, 1000.0));

} // namespace
} // namespace jkvm
