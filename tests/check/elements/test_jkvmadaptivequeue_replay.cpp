// SPDX-License-Identifier: LGPL-2.1-or-later
// The element makes the same decisions as its engine, which adaptive-replay runs alone.
#include "benchmarks/replay.h"
#include "check/elements/adaptive_queue_harness.h"

namespace jkvm {
namespace {

using testing::Output;

class JkvmAdaptiveQueueReplay : public ::testing::TestWithParam<const char *> {
protected:
    /// Runs the engine until it waits. Returns the time that it waits for.
    nanoseconds decide(Playout &playout, nanoseconds now)
    {
        for (;;) {
            const auto action = playout.next(now);
            if (const auto *wait = std::get_if<Playout::Wait>(&action))
                return wait->until;
            if (const auto *play = std::get_if<Playout::Play>(&action)) {
                expected_.push_back({.kind = Output::Kind::buffer,
                                     .time = play->output_time,
                                     .duration = play->duration,
                                     .media = play->media_time});
            } else if (const auto *conceal = std::get_if<Playout::Conceal>(&action)) {
                expected_.push_back({.kind = Output::Kind::gap,
                                     .time = conceal->output_time,
                                     .duration = conceal->duration});
            }
        }
    }
    /// Waits until the element waits for the same time, and compares its output.
    void expect_same(nanoseconds until)
    {
        if (until == Playout::Wait::indefinitely)
            queue_.settle();
        else
            queue_.await_wait(until);
        for (const auto &expected : expected_) {
            const auto output = queue_.pull();
            ASSERT_EQ(output, expected);
            ASSERT_EQ(output.media, expected.media) << "not the expected frame";
        }
        expected_.clear();
        ASSERT_TRUE(queue_.is_nothing_out());
    }

    testing::AdaptiveQueueHarness queue_;
    std::vector<Output> expected_;
};

TEST_P(JkvmAdaptiveQueueReplay, MakesTheDecisionsOfItsEngine)
{
    auto read =
        benchmark::read_trace(std::string(JKVM_RECORDED_ARRIVALS "/") + GetParam() + ".csv.gz");
    ASSERT_TRUE(read) << read.error().detail;
    const auto &trace = *read;

    benchmark::SteadyLoad load;
    Playout playout(PlayoutConfig(), load);
    queue_.play();
    nanoseconds until = Playout::Wait::indefinitely;
    for (const auto &arriving : trace) {
        while (until < arriving.arrival) {
            queue_.advance_to(until);
            until = decide(playout, until);
            expect_same(until);
            ASSERT_FALSE(HasFailure()) << "before the frame of " << arriving.media.count();
        }
        queue_.push_at(arriving.arrival, arriving.media);
        playout.arrive({.media_time = arriving.media,
                        .duration = std::chrono::milliseconds(20),
                        .conceal_step = std::chrono::microseconds(2500),
                        .maximum_conceal_step = std::chrono::milliseconds(20)},
                       arriving.arrival);
        EXPECT_FALSE(playout.drop_overflow());
        until = decide(playout, arriving.arrival);
        expect_same(until);
        ASSERT_FALSE(HasFailure()) << "at the frame of " << arriving.media.count();
    }

    const auto stats = playout.stats();
    const auto counter = [this](const char *name) { return testing::stat(queue_.element(), name); };
    EXPECT_GT(stats.played, trace.size() * 9 / 10);
    EXPECT_EQ(counter("played"), stats.played);
    EXPECT_EQ(counter("underruns"), stats.underruns);
    EXPECT_EQ(counter("concealed"), static_cast<guint64>(stats.concealed.count()));
    EXPECT_EQ(counter("dropped-late"), stats.dropped.late);
    EXPECT_EQ(counter("dropped-shrink"), stats.dropped.shrink);
    EXPECT_EQ(counter("adaptation_count"), stats.adaptations);
}

INSTANTIATE_TEST_SUITE_P(Trace, JkvmAdaptiveQueueReplay,
                         ::testing::Values("cpu4", "cgroup", "onoff"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
} // namespace jkvm
