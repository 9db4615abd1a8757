// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the element makes the same decisions as its engine, which adaptive-replay runs alone.
#include "benchmarks/replay.h"
#include "check/elements/adaptive_queue_harness.h"

#include <random>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::Output;

constexpr auto frame = 20ms;

class JkvmAdaptiveQueueReplay : public ::testing::Test {
protected:
    /// Runs the element and the engine side by side.
    void replay(const benchmark::Trace &trace, const PlayoutConfig &config)
    {
        playout_.configure(config, 0ns);
        queue_.play();
        nanoseconds until = Playout::Wait::indefinitely;
        for (const auto &arriving : trace) {
            while (until < arriving.arrival) {
                queue_.advance_to(until);
                until = decide(playout_, until);
                expect_same(until);
                ASSERT_FALSE(HasFailure()) << "before the frame of " << arriving.media.count();
            }
            queue_.push_at(arriving.arrival, arriving.media);
            playout_.arrive({.media_time = arriving.media,
                             .duration = frame,
                             .conceal_step = 2500us,
                             .maximum_conceal_step = frame},
                            arriving.arrival);
            EXPECT_FALSE(playout_.drop_overflow());
            until = decide(playout_, arriving.arrival);
            expect_same(until);
            ASSERT_FALSE(HasFailure()) << "at the frame of " << arriving.media.count();
        }
        expect_same_counters(trace.size());
    }

    benchmark::SteadyLoad load_;
    Playout playout_{PlayoutConfig(), load_};
    testing::AdaptiveQueueHarness queue_;
    std::vector<Output> outputs_; // of the element

private:
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
                                     .duration = play->output_duration,
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
            outputs_.push_back(output);
        }
        expected_.clear();
        ASSERT_TRUE(queue_.is_nothing_out());
    }

    void expect_same_counters(std::size_t frames)
    {
        const auto stats = playout_.stats();
        const auto counter = [this](const char *name) {
            return testing::stat(queue_.element(), name);
        };
        EXPECT_GT(stats.played, frames * 9 / 10);
        EXPECT_EQ(counter("played"), stats.played);
        EXPECT_EQ(counter("underruns"), stats.underruns);
        EXPECT_EQ(counter("concealed"), static_cast<guint64>(stats.concealed.count()));
        EXPECT_EQ(counter("inserted"), static_cast<guint64>(stats.inserted.count()));
        EXPECT_EQ(counter("dropped-late"), stats.dropped.late);
        EXPECT_EQ(counter("dropped-shrink"), stats.dropped.shrink);
        EXPECT_EQ(counter("dropped-max-delay"), stats.dropped.max_delay);
        EXPECT_EQ(counter("adaptation_count"), stats.adaptations);
    }

    std::vector<Output> expected_; // of the engine, since the last comparison
};

class JkvmAdaptiveQueueRecording : public JkvmAdaptiveQueueReplay,
                                   public ::testing::WithParamInterface<const char *> {};

TEST_P(JkvmAdaptiveQueueRecording, MakesTheDecisionsOfItsEngine)
{
    auto trace =
        benchmark::read_trace(std::string(JKVM_RECORDED_ARRIVALS "/") + GetParam() + ".csv.gz");
    ASSERT_TRUE(trace) << trace.error().detail;
    replay(*trace, {});
}

INSTANTIATE_TEST_SUITE_P(Trace, JkvmAdaptiveQueueRecording,
                         ::testing::Values("cpu4", "cgroup", "onoff"),
                         [](const auto &info) { return std::string(info.param); });

/// 20 minutes with jitter, and stalls of 30 to 400 ms every 10 s on average.
benchmark::Trace make_stalls()
{
    std::mt19937_64 random(1);
    std::exponential_distribution<double> gap_s(0.1);
    std::uniform_int_distribution<int> stall_ms(30, 400);
    std::gamma_distribution<double> jitter_ns(2, 2e6);
    benchmark::Trace trace;
    auto stall_end = 0ns;
    auto next_stall = nanoseconds(20s);
    auto arrival = 0ns;
    for (auto media = 0ns; media < 20min; media += frame) {
        if (media >= next_stall) {
            stall_end = media + std::chrono::milliseconds(stall_ms(random));
            next_stall = stall_end + nanoseconds(static_cast<std::int64_t>(1e9 * gap_s(random)));
        }
        const auto due = media + nanoseconds(static_cast<std::int64_t>(jitter_ns(random)));
        arrival = std::max({arrival, due, stall_end});
        trace.push_back({media, arrival, media});
    }
    return trace;
}

TEST_F(JkvmAdaptiveQueueReplay, StallsCauseNoVoluntaryDisturbanceWhileSlewing)
{
    PlayoutConfig config;
    config.adapt = AdaptMode::slew;
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "adapt", "slew");
    replay(make_stalls(), config);

    const auto counter = [this](const char *name) { return testing::stat(queue_.element(), name); };
    EXPECT_GT(counter("underruns"), 0u);
    EXPECT_EQ(counter("inserted"), 0u);
    EXPECT_EQ(counter("dropped"), counter("dropped-late")) << "next to concealment";
    EXPECT_EQ(counter("concealed"), static_cast<guint64>(playout_.counters().concealed.count()));

    auto end = outputs_.front().time;
    nanoseconds smallest{frame};
    nanoseconds largest{frame};
    for (const auto &output : outputs_) {
        ASSERT_EQ(output.time, end) << "not contiguous";
        end = output.time + output.duration;
        if (output.kind != Output::Kind::buffer)
            continue;
        smallest = std::min(smallest, output.duration);
        largest = std::max(largest, output.duration);
    }
    EXPECT_GE(smallest, 19'900us) << "more than 0.5 %";
    EXPECT_LE(largest, 20'100us) << "more than 0.5 %";
}

} // namespace
} // namespace jkvm
