// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests when the playout of a stream starts.
#include "core/playout/playout.h"
#include "playout/no_load.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// Runs the engine on simulated time with a delay of 500 ms, and collects the output times.
class PlayoutStart : public testing::Test {
protected:
    PlayoutStart()
    {
        config_.min_delay = 500ms;
        config_.max_delay = 2s;
        config_.max_time = 3s;
        playout_.configure(config_, 0ns);
    }

    void arrive(nanoseconds time, nanoseconds media_time)
    {
        run_until(time);
        PlayoutFrame frame{};
        frame.media_time = media_time;
        frame.duration = 20ms;
        frame.conceal_step = 2500us;
        playout_.arrive(frame, time);
        EXPECT_FALSE(playout_.drop_overflow());
    }
    /// Queues frames until `end`, each `transit` after its media time.
    void arrive_evenly(nanoseconds first_media_time, nanoseconds end, nanoseconds transit)
    {
        for (auto media = first_media_time; media < end; media += 20ms)
            arrive(media + transit, media);
    }
    void run_until(nanoseconds time)
    {
        while (now_ < time) {
            const auto action = playout_.next(now_);
            if (const auto *wait = std::get_if<Playout::Wait>(&action))
                now_ = std::min(wait->until, time);
            else if (const auto *play = std::get_if<Playout::Play>(&action))
                outputs_.push_back(play->output_time - play->media_time);
        }
    }

    PlayoutConfig config_;
    NoLoad load_;
    Playout playout_{config_, load_};
    nanoseconds now_{0};
    std::vector<nanoseconds> outputs_; // minus media times
};

TEST_F(PlayoutStart, StartsEarlierIfTheFirstFrameWasSlow)
{
    arrive(64ms, 0ms);
    arrive_evenly(40ms, 2s, 27ms);
    EXPECT_EQ(playout_.stats().dropped.shrink, 0u);
    ASSERT_GT(outputs_.size(), 50u);
    for (const auto output : outputs_)
        EXPECT_EQ(output, 527ms);
}

TEST_F(PlayoutStart, DoesNotMoveOnceTheFirstFrameHasPlayed)
{
    arrive_evenly(0ms, 1s, 27ms);
    const auto played = outputs_.size();
    ASSERT_GT(played, 0u);
    EXPECT_FALSE(playout_.is_start_pending());
    arrive(1017ms, 1000ms);
    run_until(1040ms);
    ASSERT_GT(outputs_.size(), played);
    EXPECT_EQ(outputs_.back(), 527ms);
}

TEST_F(PlayoutStart, StaysIfAnEarlierOneWouldBeOver)
{
    arrive(700ms, 0ms); // starts at 1200 ms
    arrive(1195ms, 510ms);
    run_until(1210ms);
    ASSERT_FALSE(outputs_.empty());
    EXPECT_EQ(outputs_.front(), 1200ms);
}

} // namespace
} // namespace jkvm
