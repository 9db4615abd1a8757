// SPDX-License-Identifier: LGPL-2.1-or-later
// The playback engine in simulated time: lost and late Opus packets.
#include "playback/bursts.h"
#include "playback/playback_engine_test.h"

#include <span>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::Bursts;
using testing::lowest_level;

class PlaybackLoss : public PlaybackEngineTest {
protected:
    /// Queues a packet when jkvmaudiosink would, or `delay` after its due time.
    void play(const std::vector<unsigned char> &data, nanoseconds duration,
              std::optional<nanoseconds> delay = {})
    {
        const auto due = due_ + queued_;
        playback_->run_until(delay ? due + *delay : due - playback_->snapshot().latency);
        playback_->push({.format = {PlaybackFormat::Coding::opus, 1},
                         .due = due,
                         .timestamp = queued_,
                         .duration = duration},
                        std::as_bytes(std::span(data)));
        queued_ += duration;
    }
    [[nodiscard]] const PlaybackEngine::Counters &counters() const
    {
        return playback_->snapshot().counters;
    }
    [[nodiscard]] nanoseconds concealed() const
    {
        return nanoseconds(1s) * counters().decoder.concealed / 48000;
    }

    Bursts tone_{false, true};
};

TEST_F(PlaybackLoss, ConcealsALatePacketWithoutAGapAndPlaysItsRest)
{
    start();
    constexpr int late_packet = 30;
    constexpr int packets = 60;
    for (int i = 0; i < packets; ++i) {
        // Packets after it are late as well, as in a queue; they catch up.
        if (i == late_packet)
            play(tone_.next(), packet, 8ms);
        else
            play(tone_.next(), packet);
    }
    EXPECT_EQ(counters().underruns, 1u);
    EXPECT_GE(concealed(), 10ms);
    EXPECT_LE(concealed(), 20ms);
    EXPECT_EQ(counters().dropped_late, 0u);
    const auto time = due() + nanoseconds(packet) * late_packet;
    EXPECT_GT(lowest_level(stop(), time - 100ms, time + 200ms), 4000);
}

TEST_F(PlaybackLoss, ConcealsLostPacketsOf2500Us)
{
    start();
    constexpr nanoseconds duration = 2500us;
    nanoseconds lost{0};
    for (int i = 0; i < 480; ++i) {
        const auto data = tone_.next(120);
        if (i % 20 == 19) {
            lost += duration;
            queued_ += duration;
        } else {
            play(data, duration);
        }
    }
    EXPECT_GE(concealed(), lost - 2 * duration);
    EXPECT_LE(counters().realignments, 2u); // the first packet, and a loss before the device plays
    stop();
}

TEST_F(PlaybackLoss, FadesOutWhenPacketsEnd)
{
    start();
    while (queued_ < 600ms)
        play(tone_.next(), packet);
    const auto end = due() + queued_;
    queued_ += 300ms;
    playback_->run_until(due_ + queued_);
    EXPECT_EQ(counters().underruns, 1u);
    const auto played = stop();
    EXPECT_GT(lowest_level(played, end - 100ms, end + 30ms), 1000);
    EXPECT_EQ(played.first_above(100, end + 115ms), played.frames());
}

} // namespace
} // namespace jkvm
