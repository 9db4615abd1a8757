// SPDX-License-Identifier: LGPL-2.1-or-later
// The playback engine on the test device, in simulated time: when samples are played, and what
// faults do to that.
#include "playback/playback_engine_test.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::measure_playout;
using testing::PlayedAudio;

TEST_F(PlaybackEngineTest, PlaysEachSampleWhenItIsDue)
{
    start();
    play(2s);
    const auto played = stop();
    const auto errors = measure_playout(played, due(), 0ns);
    EXPECT_GE(errors.frames, 70000u);
    EXPECT_LE(errors.span(), longest_span);
    EXPECT_GE(errors.smallest, -longest_span);
    EXPECT_LE(errors.largest, longest_span);
    EXPECT_TRUE(has_reported(DeviceState::run, DeviceTrouble::none));
}

TEST_F(PlaybackEngineTest, ConvertsToADeviceOfAnotherRate)
{
    for (const unsigned rate : {44100U, 96000U}) {
        queued_ = 0ns;
        testing::TestPcm pcm;
        pcm.record_playback();
        pcm.set_rate(rate);
        start(pcm);
        play(1s);
        stop();
        const auto errors = measure_playout(PlayedAudio(pcm), due(), 0ns);
        EXPECT_GE(errors.frames, rate / 2) << rate;
        EXPECT_LE(errors.span(), longest_span) << rate;
        EXPECT_LE(std::chrono::abs(errors.largest), longest_span) << rate;
    }
}

TEST_F(PlaybackEngineTest, ConvertsToADeviceOfOtherChannelsAndFormat)
{
    pcm_.set_channels(1);
    pcm_.set_format("S32_LE");
    start(pcm_);
    play(1s);
    stop();
    const auto errors = measure_playout(PlayedAudio(pcm_, 1), due(), 0ns);
    EXPECT_GE(errors.frames, 30000u);
    EXPECT_LE(errors.span(), longest_span);
}

TEST_F(PlaybackEngineTest, DiscardsAudioOnFlush)
{
    start(pcm_);
    play(500ms);
    const auto flushed = now();
    playback_->flush();
    const auto played = stop();
    // At most what the hardware may have fetched.
    EXPECT_EQ(played.first_above(1, flushed + 30ms), played.frames());
    EXPECT_EQ(flushed, due() + 400ms);
}

TEST_F(PlaybackEngineTest, PlaysPacketsQueuedDirectlyAfterAFlush)
{
    start();
    play(300ms);
    playback_->flush();
    const auto first = due() + queued_;
    push_packet();
    play(140ms);
    EXPECT_EQ(playback_->snapshot().counters.dropped_flush, 0u); // all of them were in the ring
    // From 300 to 460 ms the triangle is far from 0 and from its corners.
    const auto errors = measure_playout(stop(), due(), first - 20ms);
    EXPECT_NEAR(static_cast<double>(errors.frames), 160.0 * 48, 100);
    EXPECT_LE(errors.span(), longest_span);
}

TEST_F(PlaybackEngineTest, CountsThePacketsThatAFlushRemoves)
{
    start();
    play(200ms);
    const auto played = playback_->snapshot().counters.packets;
    const std::vector<std::int16_t> early(960, 20000);
    for (int i = 0; i < 5; ++i)
        playback_->push({.format = {PlaybackFormat::Coding::s16, 1}, .due = due_ + 10s},
                        std::as_bytes(std::span(early)));
    playback_->flush();
    playback_->run_until(monotonic_now() + 1s);
    const auto &counters = playback_->snapshot().counters;
    EXPECT_EQ(counters.packets, played);
    EXPECT_EQ(counters.dropped_flush, 5u);
}

/// Sets the speed of a test device whose own clock is 300 ppm fast.
class FakePitchControl final : public PitchControl {
public:
    explicit FakePitchControl(testing::TestPcm &pcm, int failing_from = 1000)
        : pcm_(pcm), failing_from_(failing_from)
    {}
    bool set(long pitch) override
    {
        if (++calls_ >= failing_from_) {
            pcm_.send("ppm 300");
            return false;
        }
        const double factor = static_cast<double>(pitch) / nominal;
        pcm_.send("ppm " + std::to_string(1e6 * (factor * (1 + 300e-6) - 1)));
        return true;
    }
    [[nodiscard]] long minimum() const override { return 750'000; }
    [[nodiscard]] long maximum() const override { return 1'005'000; }

private:
    testing::TestPcm &pcm_;
    int failing_from_;
    int calls_ = 0;
};

TEST_F(PlaybackEngineTest, SetsThePitchOfADeviceInsteadOfResampling)
{
    pcm_.set_at_open("ppm 300\ngranularity 48");
    open_pitch_control_ = [this](snd_pcm_t *) { return std::make_unique<FakePitchControl>(pcm_); };
    start();
    play(13s);
    const auto snapshot = playback_->snapshot();
    const auto played = stop();
    EXPECT_NEAR(snapshot.pitch_ppm, -300, 20);
    EXPECT_NEAR(snapshot.drift_ppm, 300, 20);
    EXPECT_EQ(snapshot.ratio_ppm, 0);
    EXPECT_EQ(snapshot.counters.realignments, 1u);
    const auto errors = measure_playout(played, due(), due() + 10s);
    EXPECT_GE(errors.frames, 100000u);
    EXPECT_LE(errors.span(), longest_span);
    const auto samples = played.channel();
    const auto begin = played.first_above(1000);
    ASSERT_LT(begin + 500000, samples.size());
    for (std::size_t i = begin + 1; i < begin + 500000; ++i)
        ASSERT_EQ(std::abs(samples[i] - samples[i - 1]), 1) << i;
}

TEST_F(PlaybackEngineTest, ResamplesWhenThePitchControlFails)
{
    pcm_.set_at_open("ppm 300");
    open_pitch_control_ = [this](snd_pcm_t *) {
        return std::make_unique<FakePitchControl>(pcm_, 3);
    };
    start();
    play(5s);
    const auto snapshot = playback_->snapshot();
    const auto played = stop();
    EXPECT_EQ(snapshot.pitch_ppm, 0);
    EXPECT_NEAR(snapshot.ratio_ppm, 300, 200);
    EXPECT_GE(measure_playout(played, due(), due() + 4s).frames, 30000u);
}

struct Drift {
    int ppm;
    int granularity;
};

class PlaybackDrift : public PlaybackEngineTest, public ::testing::WithParamInterface<Drift> {};

TEST_P(PlaybackDrift, NeitherDropsNorRepeatsSamples)
{
    pcm_.set_at_open("ppm " + std::to_string(GetParam().ppm) + "\ngranularity " +
                     std::to_string(GetParam().granularity));
    start();
    play(13s);
    const auto snapshot = playback_->snapshot();
    const auto played = stop();
    const auto late = measure_playout(played, due(), due() + 10s);
    EXPECT_GE(late.frames, 100000u);
    EXPECT_LE(late.span(), longest_span);
    // Once the resampler has started, neighbouring samples differ by 1 and rounding.
    const auto samples = played.channel();
    double step = 0;
    for (std::size_t i = played.first_above(1000) + 100; i < samples.size() - 4800; ++i)
        step = std::max(step, std::abs(samples[i] - samples[i - 1]));
    EXPECT_LE(step, 3);
    EXPECT_NEAR(snapshot.drift_ppm, GetParam().ppm, 20);
    EXPECT_EQ(snapshot.counters.underruns, 0u);
    EXPECT_EQ(snapshot.counters.realignments, 1u); // the first packet
}

INSTANTIATE_TEST_SUITE_P(Devices, PlaybackDrift,
                         ::testing::Values(Drift{1000, 1}, Drift{-1000, 48}, Drift{1000, 960}),
                         [](const auto &info) { return "Case" + std::to_string(info.index); });

class PlaybackInterruption : public PlaybackEngineTest,
                             public ::testing::WithParamInterface<Drift> {};

TEST_P(PlaybackInterruption, AtAnyMomentDoesNotChangeThePlayoutTime)
{
    pcm_.set_at_open("ppm " + std::to_string(GetParam().ppm) + "\ngranularity " +
                     std::to_string(GetParam().granularity));
    start();
    std::minstd_rand random;
    for (int i = 0; i < 50; ++i) {
        play(200ms);
        testing::FakeMonotonicClock::interrupt_after(static_cast<int>(1 + random() % 40), 30ms);
    }
    const auto snapshot = playback_->snapshot();
    const auto errors = measure_playout(stop(), due(), due() + 500ms);
    EXPECT_GE(errors.frames, 100000u);
    EXPECT_LE(errors.span(), 2 * longest_span);
    EXPECT_EQ(snapshot.counters.underruns, 0u);
    EXPECT_EQ(snapshot.counters.realignments, 1u);
}

INSTANTIATE_TEST_SUITE_P(Devices, PlaybackInterruption,
                         ::testing::Values(Drift{0, 1}, Drift{1000, 1}, Drift{-1000, 48},
                                           Drift{1000, 960}),
                         [](const auto &info) { return "Case" + std::to_string(info.index); });

TEST_F(PlaybackEngineTest, PlaysNewestAudioWhenHostRecordsAgain)
{
    start();
    play(500ms);
    pcm_.send("freeze 3600000");
    play(1300ms);
    EXPECT_TRUE(has_reported(DeviceState::blocked, DeviceTrouble::frozen));
    pcm_.send("freeze 0");
    const auto thawed = now();
    play(1s);
    const auto played = stop();
    const auto errors = measure_playout(played, due(), thawed);
    EXPECT_GE(errors.frames, 20000u);
    EXPECT_LE(errors.span(), 2 * longest_span);
    EXPECT_LE(errors.first - thawed, 150ms + packet);
}

TEST_F(PlaybackEngineTest, PlaysAgainAfterReplug)
{
    start();
    play(500ms);
    pcm_.send("unplug");
    play(700ms);
    EXPECT_TRUE(has_reported(DeviceState::lost, DeviceTrouble::unplugged));
    const auto replugged = now();
    pcm_.clear_open_errno();
    play(1200ms);
    const auto played = stop();
    const auto errors = measure_playout(played, due(), replugged);
    EXPECT_GE(errors.frames, 20000u);
    EXPECT_LE(errors.span(), 2 * longest_span);
    EXPECT_LE(errors.first - replugged, 500ms);
}

TEST_F(PlaybackEngineTest, PlaysWhenAMissingDeviceAppears)
{
    pcm_.set_open_errno("ENOENT");
    start();
    play(500ms);
    EXPECT_TRUE(has_reported(DeviceState::search, DeviceTrouble::missing));
    EXPECT_GT(playback_->snapshot().counters.dropped_no_device, 10u);
    const auto appeared = now();
    pcm_.clear_open_errno();
    play(1s);
    const auto errors = measure_playout(stop(), due(), appeared);
    EXPECT_GE(errors.frames, 15000u);
    EXPECT_LE(errors.span(), 2 * longest_span);
    EXPECT_LE(errors.first - appeared, 500ms);
}

TEST_F(PlaybackEngineTest, PlaysTheNewestAudioOnANewDevice)
{
    testing::TestPcm other;
    other.record_playback();
    start();
    play(600ms);
    playback_->set_devices({other.device()});
    const auto switched = now();
    play(1s);
    const auto first = stop();
    EXPECT_EQ(first.first_above(1000, switched + 5ms), first.frames());
    const auto errors = measure_playout(PlayedAudio(other), due(), switched);
    EXPECT_GE(errors.frames, 20000u);
    EXPECT_LE(errors.span(), longest_span);
    EXPECT_LE(errors.first - switched, 150ms);
}

struct Fault {
    const char *name;
    std::vector<const char *> begin;
    std::vector<const char *> end;
};

class PlaybackFault : public PlaybackEngineTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(PlaybackFault, IsFollowedByAudioOnTime)
{
    start();
    play(500ms);
    for (const auto *command : GetParam().begin)
        pcm_.send(command);
    play(500ms);
    for (const auto *command : GetParam().end)
        pcm_.send(command);
    const auto healed = now();
    play(1200ms);
    const auto errors = measure_playout(stop(), due(), healed + 600ms);
    EXPECT_GE(errors.frames, 15000u);
    EXPECT_LE(errors.span(), 2 * longest_span);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PlaybackFault,
                         ::testing::Values(Fault{"Xrun", {"xrun"}, {}},
                                           Fault{"WriteFails", {"err EIO"}, {}},
                                           Fault{"WritesFail", {"errs EIO"}, {"errs 0"}}),
                         [](const auto &info) { return info.param.name; });

class PlaybackSuspended : public PlaybackEngineTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(PlaybackSuspended, ResumesOnTimeWithoutOpeningTheDeviceAgain)
{
    start();
    play(500ms);
    for (const auto *command : GetParam().begin)
        pcm_.send(command);
    play(500ms);
    const auto healed = now();
    play(1200ms);
    const auto recoveries = playback_->snapshot().counters.recoveries;
    const auto errors = measure_playout(stop(), due(), healed + 600ms);
    EXPECT_GE(errors.frames, 15000u);
    EXPECT_LE(errors.span(), 2 * longest_span);
    EXPECT_EQ(pcm_.count_log("opened"), 1u);
    EXPECT_TRUE(has_reported(DeviceState::lost, DeviceTrouble::suspended));
    EXPECT_EQ(recoveries.at(static_cast<std::size_t>(DeviceTrouble::suspended)), 1u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PlaybackSuspended,
                         ::testing::Values(Fault{"ForAMoment", {"suspend"}, {}},
                                           Fault{
                                               "ForThreeAttempts", {"noresume 3", "suspend"}, {}}),
                         [](const auto &info) { return info.param.name; });

TEST_F(PlaybackEngineTest, PlaysWithin500msWhenTheDeviceFailsTwice)
{
    start();
    play(500ms);
    // The pauses between attempts to open the device grow to the longest one.
    for (int i = 0; i < 5; ++i) {
        pcm_.send("err EIO");
        play(400ms);
    }
    const auto failed = now();
    pcm_.send("err EIO");
    const auto opened = pcm_.count_log("opened");
    while (pcm_.count_log("opened") == opened && now() < failed + 1s)
        play(packet);
    pcm_.send("err EIO");
    play(1s);
    const auto errors = measure_playout(stop(), due(), failed + 100ms);
    EXPECT_GE(errors.frames, 20000u);
    EXPECT_GE(errors.first - failed, 250ms) << "the device has not failed twice";
    EXPECT_LE(errors.first - failed, 500ms);
}

TEST_F(PlaybackEngineTest, EndsWithTheLastSample)
{
    start();
    play(200ms);
    playback_->push({.kind = PlaybackItem::Kind::end}, {});
    const auto played = stop();
    const auto errors = measure_playout(played, due(), 0ns);
    EXPECT_GE(errors.frames, 7000u);
    // The last 10 ms are there.
    EXPECT_GT(measure_playout(played, due(), due() + 190ms, due() + 200ms).frames, 470u);
}

} // namespace
} // namespace jkvm
