// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmaudiosink in pipelines: timing, drift, faults, GAP and EOS.
#include "playback/audio_sink_test.h"

#include <algorithm>
#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::measure_playout;
using testing::PlayedAudio;

TEST_F(AudioSinkTest, PlaysEachSampleAtItsRunningTimePlusLatency)
{
    start();
    play(2s);
    const auto time = due();
    const auto played = stop();
    // Without the first packets, for which the device is not ready.
    const auto errors = measure(played, time, time + 300ms);
    EXPECT_GE(errors.frames, 20000u);
    EXPECT_GE(errors.quantile(0.1), -longest_span);
    EXPECT_LE(errors.quantile(0.9), longest_span);
}

class AudioSinkDrift : public AudioSinkTest, public ::testing::WithParamInterface<int> {};

TEST_P(AudioSinkDrift, CausesNoJump)
{
    pcm_.set_at_open("ppm " + std::to_string(GetParam()) + "\ngranularity 48");
    start();
    play(12s);
    const auto time = due();
    const auto played = stop();
    const auto errors = measure(played, time, time + 10s);
    EXPECT_GE(errors.frames, 20000u);
    EXPECT_LE(errors.central_span(), longest_span);
    EXPECT_LE(testing::stat(sink(), "realignments"), expected_realignments());
}

INSTANTIATE_TEST_SUITE_P(BothSigns, AudioSinkDrift, ::testing::Values(-1000, 1000),
                         [](const auto &info) { return info.param < 0 ? "Slow" : "Fast"; });

TEST_F(AudioSinkTest, PlaysAgainAfterReplug)
{
    start();
    play(500ms);
    pcm_.send("unplug");
    play(600ms);
    wait_for_device("unplugged");
    const auto replugged = now();
    pcm_.clear_open_errno();
    play_on_device();
    const auto time = due();
    const auto played = stop();
    const auto errors = measure(played, time, replugged);
    EXPECT_GE(errors.frames, 4000u);
    EXPECT_LE(errors.central_span(), 2 * longest_span);
}

TEST_F(AudioSinkTest, PlaysNoOutdatedAudioAfterBlockedDeviceMoves)
{
    start();
    play(500ms);
    pcm_.send("freeze 3600000");
    play(1300ms);
    wait_for_device("blocked");
    const auto thawed = now();
    pcm_.send("freeze 0");
    play_on_device();
    const auto time = due();
    const auto played = stop();
    const auto errors = measure(played, time, thawed);
    EXPECT_GE(errors.frames, 4000u);
    EXPECT_LE(errors.central_span(), 2 * longest_span);
    EXPECT_LE(errors.largest, 100ms) << "outdated by 1 s";
}

TEST_F(AudioSinkTest, StartsWithoutADeviceAndPlaysWhenItAppears)
{
    pcm_.set_open_errno("ENOENT");
    start();
    play(400ms);
    wait_for_device("missing");
    pcm_.clear_open_errno();
    play_on_device();
    wait_for_device("running");
    const auto time = due();
    const auto played = stop();
    EXPECT_GE(measure_playout(played, time, time).frames, 4000u);
    EXPECT_GT(testing::stat(sink(), "dropped-no-device"), 0u);
}

TEST_F(AudioSinkTest, ReturnsToNullWhileItsDeviceIsBlocked)
{
    pcm_.set_at_open("freeze 3600000");
    start();
    play(200ms);
    const auto begin = now();
    EXPECT_EQ(pipeline_->set_state(GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    EXPECT_LT(now() - begin, 20s);
}

TEST_F(AudioSinkTest, AcceptsAGapBeforeCaps)
{
    pipeline_.emplace("appsrc name=src format=time ! jkvmaudiosink name=sink device=" +
                      pcm_.device());
    auto *pad = gst_element_get_static_pad(sink(), "sink");
    pipeline_->set_state(GST_STATE_PAUSED);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_send_event(pad, gst_event_new_stream_start("test"));
    gst_pad_send_event(pad, gst_event_new_segment(&segment));
    std::thread sender(
        [pad] { EXPECT_TRUE(gst_pad_send_event(pad, gst_event_new_gap(0, 20 * GST_MSECOND))); });
    EXPECT_EQ(gst_element_get_state(sink(), nullptr, nullptr, 10 * GST_SECOND),
              GST_STATE_CHANGE_SUCCESS);
    pipeline_->play();
    sender.join();
    gst_object_unref(pad);
}

TEST_F(AudioSinkTest, WaitsForTheLastSampleAtEos)
{
    start();
    play(400ms);
    const auto time = due();
    gst_app_src_end_of_stream(source());
    pipeline_->wait_for_eos();
    EXPECT_GE(now(), time + pushed_ - 1ms);
    pipeline_->set_state(GST_STATE_NULL);
    const PlayedAudio played(pcm_);
    // After an underrun, the last packets may have been late.
    if (testing::stat(sink(), "underruns") == 0) {
        EXPECT_GT(measure_playout(played, time, time + 390ms, time + 399ms).frames, 400u);
    }
}

TEST_F(AudioSinkTest, StopsWithAnErrorIfConfigured)
{
    pcm_.set_open_errno("EBUSY");
    start("on-device-lost=error");
    wait_for_device("busy");
    push_packet(0ns);
    const auto error = pipeline_->wait_for_error();
    EXPECT_NE(error.debug.find("snd_pcm_open"), std::string::npos) << error.debug;
}

TEST_F(AudioSinkTest, PlaysOpus)
{
    testing::Pipeline pipeline(
        "audiotestsrc is-live=true samplesperbuffer=960 freq=997 volume=0.5 num-buffers=100 ! "
        "audio/x-raw,rate=48000,channels=2 ! opusenc ! jkvmaudiosink name=sink device=" +
        pcm_.device());
    pipeline.play();
    pipeline.wait_for_eos();
    EXPECT_EQ(testing::stat(pipeline.element("sink"), "invalid"), 0u);
    pipeline.set_state(GST_STATE_NULL);
    const PlayedAudio played(pcm_);
    const auto samples = played.channel();
    EXPECT_GT(*std::max_element(samples.begin(), samples.end()), 12000);
    EXPECT_GT(played.frames() - played.first_above(8000), 60000u);
}

} // namespace
} // namespace jkvm
