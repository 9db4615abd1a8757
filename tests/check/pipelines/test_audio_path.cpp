// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the whole audio path that README shows, from the ALSA device to decoded samples.
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/temporary_directory.h"
#include "support/tone.h"

#include "core/base/guarded.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

namespace jkvm {
namespace {

using testing::Pipeline;
using testing::stat;

constexpr double tone = 997; // frequency of the test device's tone, Hz
constexpr std::size_t rate = 48000;

/// Returns the samples that the appsink `sink` receives until the end of the stream.
std::vector<double> pull_samples(Pipeline &pipeline)
{
    std::vector<double> samples;
    auto *sink = GST_APP_SINK(pipeline.element("sink"));
    for (;;) {
        const auto sample =
            GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, 20 * GST_SECOND));
        if (!sample)
            break;
        auto *buffer = gst_sample_get_buffer(sample.get());
        std::vector<std::int16_t> part(gst_buffer_get_size(buffer) / 2);
        gst_buffer_extract(buffer, 0, part.data(), 2 * part.size());
        samples.insert(samples.end(), part.begin(), part.end());
    }
    EXPECT_TRUE(gst_app_sink_is_eos(sink));
    return samples;
}

constexpr const char *to_samples =
    " ! audioconvert ! audio/x-raw,format=S16LE,channels=1 ! appsink name=sink sync=false";

/// Expects the tone without breaks, after the codec has settled.
void expect_tone(const std::vector<double> &samples)
{
    constexpr std::size_t settling = rate / 10;
    ASSERT_GT(samples.size(), 3 * settling);
    const std::vector<double> settled(samples.begin() + settling, samples.end());
    EXPECT_NEAR(testing::measure_frequency(settled, rate, tone), tone, 0.05);
    double power = 0;
    for (const auto sample : settled)
        power += sample * sample / static_cast<double>(settled.size());
    EXPECT_NEAR(std::sqrt(power), 32767 * 0.5 / std::sqrt(2), 300); // half of full scale
    // The codec's noise is far below this tolerance; a missing frame is far above it.
    EXPECT_EQ(testing::count_breaks(settled, rate, tone, 300), 0u);
}

class AudioPath : public ::testing::Test {
protected:
    [[nodiscard]] std::string sender() const
    {
        // The ring and the queue for a client are large, so that nothing is lost on a busy machine.
        return "jkvmaudiosrc buffer-time=1000000 device=" + pcm_.device() +
               " ! jkvmipcsink name=ipc max-queue-time=2000 socket-path=" + path_;
    }
    [[nodiscard]] std::string receiver(const std::string &properties) const
    {
        return "jkvmipcsrc name=ipc socket-path=" + path_ + " " + properties +
               " ! opusdec plc=true" + to_samples;
    }

    /// Returns the same with a jkvmadaptivequeue, whose delay is long enough for a busy machine.
    [[nodiscard]] std::string queueing_receiver(const std::string &properties) const
    {
        return "jkvmipcsrc name=ipc socket-path=" + path_ + " " + properties +
               " ! jkvmadaptivequeue name=queue min-delay=500 max-delay=2000 "
               "max-size-time=3000000000 ! opusdec plc=true" +
               to_samples;
    }

    /// Records two seconds of the source to an Ogg file, plays it and expects the tone.
    void expect_playable_ogg(const std::string &source)
    {
        const auto file = directory_.file("a.ogg");
        Pipeline recording(source + " ! oggmux ! filesink location=" + file);
        recording.play();
        recording.wait_for_eos();
        recording.set_state(GST_STATE_NULL);
        Pipeline playing("filesrc location=" + file + " ! oggdemux ! opusdec" + to_samples);
        playing.play();
        const auto samples = pull_samples(playing);
        // All samples but the encoder's look-ahead, which players skip as the header requests.
        EXPECT_NEAR(static_cast<double>(samples.size()), 2.0 * rate, 480);
        expect_tone(samples);
    }

    testing::TestPcm pcm_;
    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

TEST_F(AudioPath, ReceiverOutputsUnbrokenToneOfTheDevice)
{
    Pipeline receiving(receiver("num-buffers=100"));
    receiving.play(); // before the server exists
    receiving.wait_for_element_message("jkvm-link", "unreachable");
    Pipeline sending(sender());
    sending.play();
    const auto samples = pull_samples(receiving);
    EXPECT_EQ(samples.size(), 100 * rate / 50);
    expect_tone(samples);
    EXPECT_EQ(stat(receiving.element("ipc"), "lost"), 0u);
    EXPECT_EQ(stat(sending.element("ipc"), "dropped"), 0u);
}

TEST_F(AudioPath, AdaptiveQueueOutputsUnbrokenTone)
{
    Pipeline receiving(queueing_receiver("num-buffers=100"));
    receiving.play();
    Pipeline sending(sender());
    sending.play();
    const auto samples = pull_samples(receiving);
    EXPECT_EQ(samples.size(), 100 * rate / 50);
    expect_tone(samples);
    auto *queue = receiving.element("queue");
    EXPECT_EQ(stat(queue, "played"), 100u);
    EXPECT_GE(stat(queue, "current-delay"), 480 * GST_MSECOND);
    EXPECT_EQ(stat(queue, "concealed"), 0u);
}

/// End of the last buffer or GAP event that a pad pushed, and the longest gap before any of them.
struct PushedTimeline {
    GstClockTime end = GST_CLOCK_TIME_NONE;
    GstClockTime gap = 0;

    void add(GstClockTime begin, GstClockTime duration)
    {
        if (GST_CLOCK_TIME_IS_VALID(end) && begin > end)
            gap = std::max(gap, begin - end);
        end = begin + duration;
    }
};

TEST_F(AudioPath, AdaptiveQueueOutputIsContinuousWhileSenderIsReplaced)
{
    Pipeline receiving(queueing_receiver(""));
    auto *queue = receiving.element("queue");
    Guarded<PushedTimeline> pushed;
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(queue, "src"));
    // In front of the decoder, which conceals at most 120 ms at a time.
    gst_pad_add_probe(
        pad.get(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        [](GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
            auto timeline = static_cast<Guarded<PushedTimeline> *>(data)->lock();
            if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
                const auto *buffer = gst_pad_probe_info_get_buffer(info);
                timeline->add(GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer));
            } else if (GST_EVENT_TYPE(gst_pad_probe_info_get_event(info)) == GST_EVENT_GAP) {
                GstClockTime begin = 0;
                GstClockTime duration = 0;
                gst_event_parse_gap(gst_pad_probe_info_get_event(info), &begin, &duration);
                timeline->add(begin, duration);
            }
            return GST_PAD_PROBE_OK;
        },
        &pushed, nullptr);
    receiving.play();
    auto *sink = GST_APP_SINK(receiving.element("sink"));
    const auto pull_until_played = [&](guint64 frames) {
        while (stat(queue, "played") < frames && !HasFailure())
            ASSERT_TRUE(
                GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, 20 * GST_SECOND)));
    };
    {
        Pipeline sending(sender());
        sending.play();
        pull_until_played(30);
    }
    receiving.wait_for_element_message("jkvm-link", "closed");
    Pipeline sending(sender());
    sending.play();
    pull_until_played(60);
    EXPECT_GT(stat(queue, "paused"), 0u);
    receiving.set_state(GST_STATE_NULL);
    EXPECT_LE(pushed.lock()->gap, 10 * GST_MSECOND); // half a frame is tolerated
}

TEST_F(AudioPath, MinimumLatencyIsLittleMoreThanFrameAndLookAhead)
{
    Pipeline sending(sender());
    sending.play();
    Pipeline receiving(receiver("num-buffers=50"));
    receiving.play();
    pull_samples(receiving);
    const auto minimum = stat(receiving.element("ipc"), "latency-min");
    EXPECT_GE(minimum, 26 * GST_MSECOND);
    EXPECT_LE(minimum, 40 * GST_MSECOND);
}

TEST_F(AudioPath, SeveralReceiversOutputUnbrokenTone)
{
    Pipeline sending(sender());
    sending.play();
    std::vector<std::unique_ptr<Pipeline>> receivers;
    for (int i = 0; i < 4; ++i) {
        receivers.push_back(std::make_unique<Pipeline>(receiver("num-buffers=40")));
        receivers.back()->play();
    }
    for (auto &receiving : receivers)
        expect_tone(pull_samples(*receiving));
}

TEST_F(AudioPath, ReceiverEndsWhenSenderEnds)
{
    Pipeline receiving(receiver("on-disconnect=eos"));
    receiving.play();
    Pipeline sending("jkvmaudiosrc num-buffers=50 buffer-time=1000000 device=" + pcm_.device() +
                     " ! jkvmipcsink max-queue-time=2000 socket-path=" + path_);
    sending.set_state(GST_STATE_PAUSED); // listens; capturing starts in PLAYING
    receiving.wait_for_element_message("jkvm-link", "connected");
    sending.play();
    sending.wait_for_eos();
    sending.set_state(GST_STATE_NULL);
    EXPECT_GT(pull_samples(receiving).size(), 30 * rate / 50);
}

TEST_F(AudioPath, CapturedAudioIsPlayableFromOgg)
{
    expect_playable_ogg("jkvmaudiosrc buffer-time=1000000 num-buffers=100 device=" + pcm_.device());
}

TEST_F(AudioPath, ReceivedAudioIsPlayableFromOgg)
{
    Pipeline sending(sender());
    sending.play();
    expect_playable_ogg("jkvmipcsrc num-buffers=100 socket-path=" + path_);
}

} // namespace
} // namespace jkvm
