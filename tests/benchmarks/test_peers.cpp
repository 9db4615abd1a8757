// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the peer replays add nothing but the delay and the losses of the elements.
#include "benchmarks/peers.h"

#include <gtest/gtest.h>

#include <set>

namespace jkvm::benchmark {
namespace {

using namespace std::chrono_literals;

constexpr auto frame = 20ms;
constexpr auto transit = 3ms;

class PeersTest : public ::testing::Test {
protected:
    /// A minute of frames with constant transit. The capture time starts at 1 s.
    PeersTest()
    {
        for (auto media = 1000ms; media < 61s; media += frame)
            trace_.push_back({media, media + transit, media + transit});
    }
    /// Delays the arrival of a frame. Later frames do not arrive before it.
    void hold_back(std::size_t number, nanoseconds time)
    {
        trace_[number].arrival += time;
        for (auto i = number + 1; i < trace_.size(); ++i)
            trace_[i].arrival = std::max(trace_[i].arrival, trace_[number].arrival);
    }
    Score play(Peer peer, nanoseconds latency)
    {
        const auto outputs = play_through(peer, trace_, latency, frame);
        for (const auto &output : outputs) {
            if (const auto *play = std::get_if<Playout::Play>(&output)) {
                EXPECT_TRUE(seen_.insert(play->handle).second) << play->handle;
            } else if (const auto *drop = std::get_if<Playout::Drop>(&output)) {
                EXPECT_TRUE(seen_.insert(drop->handle).second) << drop->handle;
            }
        }
        EXPECT_EQ(seen_.size(), trace_.size()) << "each frame must be played or dropped";
        return score_outputs(trace_, outputs, {.skip = 0s}).score;
    }

    Trace trace_;
    std::set<std::size_t> seen_;
};

class EveryPeer : public PeersTest, public ::testing::WithParamInterface<Peer> {};

TEST_P(EveryPeer, DelayEqualsLatencyWithoutJitter)
{
    const auto score = play(GetParam(), 40ms);
    EXPECT_EQ(score.frames, trace_.size());
    EXPECT_NEAR(score.mean_delay_ms, 40, 0.01);
    EXPECT_NEAR(score.max_delay_ms, 40, 0.01);
    EXPECT_EQ(score.disturbance, 0);
}

TEST_P(EveryPeer, FrameDelayedByLessThanTheLatencyIsNotLate)
{
    hold_back(1500, 39ms);
    const auto score = play(GetParam(), 40ms);
    EXPECT_NEAR(score.max_delay_ms, 40, 0.01);
    EXPECT_EQ(score.disturbance, 0);
}

INSTANTIATE_TEST_SUITE_P(Peers, EveryPeer, ::testing::Values(Peer::rtpjitterbuffer, Peer::queue),
                         [](const auto &info) {
                             return info.param == Peer::queue ? "queue" : "rtpjitterbuffer";
                         });

TEST_F(PeersTest, QueueWithoutLatencyAddsNoDelay)
{
    EXPECT_EQ(play(Peer::queue, 0ms).max_delay_ms, 0);
}

TEST_F(PeersTest, LateFrameShiftsTheTimelineOfRtpjitterbuffer)
{
    hold_back(1500, 50ms);
    const auto score = play(Peer::rtpjitterbuffer, 40ms);
    EXPECT_NEAR(score.concealed_ms, 50, 0.01) << "the frame is delayed by the latency again";
    EXPECT_NEAR(score.max_delay_ms, 90, 0.01);
    EXPECT_LT(score.mean_delay_ms, 80) << "skew correction reverts the shift";
}

TEST_F(PeersTest, LateFrameIncreasesTheDelayOfAQueuePermanently)
{
    hold_back(1500, 50ms);
    const auto score = play(Peer::queue, 40ms);
    EXPECT_EQ(score.frames, trace_.size());
    EXPECT_DOUBLE_EQ(score.concealed_ms, 10);
    EXPECT_DOUBLE_EQ(score.p95_delay_ms, 50);
}

TEST_F(PeersTest, FullQueueDropsOldestFrames)
{
    hold_back(1500, 3s); // 150 frames arrive at once; the queue holds a second
    const auto score = play(Peer::queue, 40ms);
    EXPECT_NEAR(static_cast<double>(score.dropped_paid), 100, 2);
    EXPECT_NEAR(score.max_delay_ms, 3000, 1);
    EXPECT_NEAR(score.p95_delay_ms, 1020, 25);
}

} // namespace
} // namespace jkvm::benchmark
