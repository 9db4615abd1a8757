// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that each loss on the audio path is counted, and that nothing else is: plays the chirp
// through the path and compares the analysis of the decoded recording with the statistics.
#include "support/alsa_device.h"
#include "support/chirp.h"
#include "support/gst_test.h"
#include "support/temporary_directory.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::ChirpAccount;
using testing::Pipeline;
using testing::Samples;
using testing::stat;

constexpr auto frame = 20ms;

/// Returns the interleaved stereo samples that the appsink `sink` receives until the end of the
/// stream.
std::vector<std::int16_t> pull_samples(Pipeline &pipeline)
{
    std::vector<std::int16_t> samples;
    auto *sink = GST_APP_SINK(pipeline.element("sink"));
    for (;;) {
        const auto sample =
            GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, 20 * GST_SECOND));
        if (!sample)
            break;
        auto *buffer = gst_sample_get_buffer(sample.get());
        const auto size = gst_buffer_get_size(buffer);
        const auto before = samples.size();
        samples.resize(before + size / 2);
        gst_buffer_extract(buffer, 0, samples.data() + before, size);
    }
    EXPECT_TRUE(gst_app_sink_is_eos(sink));
    return samples;
}

/// Drops chosen frames at a source pad.
class FrameDropper {
public:
    /// `is_dropped` decides by the number of the frame.
    FrameDropper(GstElement *element, std::function<bool(guint64)> is_dropped)
        : is_dropped_(std::move(is_dropped)),
          pad_(GstRef<GstPad>::adopt(gst_element_get_static_pad(element, "src")))
    {
        probe_ = gst_pad_add_probe(
            pad_.get(), GST_PAD_PROBE_TYPE_BUFFER,
            [](GstPad *, GstPadProbeInfo *, gpointer self) noexcept {
                return static_cast<FrameDropper *>(self)->on_frame();
            },
            this, nullptr);
    }
    FrameDropper(const FrameDropper &) = delete;
    FrameDropper &operator=(const FrameDropper &) = delete;
    ~FrameDropper() { gst_pad_remove_probe(pad_.get(), probe_); }

private:
    GstPadProbeReturn on_frame()
    {
        return is_dropped_(count_++) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
    }

    const std::function<bool(guint64)> is_dropped_;
    const GstRef<GstPad> pad_;
    gulong probe_ = 0;
    guint64 count_ = 0;
};

class ChirpPath : public ::testing::Test {
protected:
    static constexpr unsigned received_frames = 200;

    ChirpPath()
    {
        testing::write_chirp(file_, 2);
        pcm_.emplace(testing::TestPcm::Options{.file = file_});
    }

    /// Plays the path until 200 frames have been received.
    ChirpAccount run(const std::function<bool(guint64)> &is_dropped)
    {
        // The ring, the sender's queue and the delay are long enough for a busy machine.
        Pipeline sending("jkvmaudiosrc name=capture bitrate=128000 buffer-time=1000000 device=" +
                         pcm_->device() +
                         " ! jkvmipcsink name=ipc max-queue-time=2000 socket-path=" + path_);
        Pipeline receiving("jkvmipcsrc name=ipc num-buffers=" + std::to_string(received_frames) +
                           " socket-path=" + path_ +
                           " ! jkvmadaptivequeue name=queue min-delay=500 max-delay=2000 "
                           "max-size-time=3000000000 ! opusdec plc=true ! "
                           "audio/x-raw,format=S16LE,channels=2 ! appsink name=sink sync=false");
        const FrameDropper dropper(sending.element("capture"), is_dropped);
        receiving.play();
        sending.play();
        const auto samples = pull_samples(receiving);
        auto account = analyse_chirp(samples, 2, testing::opus_tolerance(frame));
        auto *ipc = receiving.element("ipc");
        EXPECT_EQ(stat(ipc, "dropped"), 0u);
        lost_ = frame * static_cast<std::int64_t>(stat(ipc, "lost"));
        auto *queue = receiving.element("queue");
        concealed_ = std::chrono::nanoseconds(stat(queue, "concealed"));
        filled_ = std::chrono::nanoseconds(stat(queue, "paused"));
        EXPECT_EQ(stat(queue, "dropped"), 0u);
        EXPECT_EQ(stat(queue, "inserted"), 0u);
        EXPECT_EQ(stat(queue, "played"), received_frames);
        return account;
    }

    testing::TemporaryDirectory directory_;
    std::string file_ = directory_.file("chirp.wav");
    std::string path_ = directory_.file("a.sock");
    std::optional<testing::TestPcm> pcm_;
    std::chrono::milliseconds lost_{0};     // frames that jkvmipcsrc counts as lost
    std::chrono::nanoseconds concealed_{0}; // concealment in underruns of the queue
    std::chrono::nanoseconds filled_{0};    // GAP events of jkvmipcsrc that the queue passed on
};

TEST_F(ChirpPath, IsUnbrokenWithoutLoss)
{
    const auto account = run([](guint64) { return false; });
    EXPECT_TRUE(account.is_unbroken()) << account;
    EXPECT_GT(account.played, received_frames * frame - 50ms) << account;
    EXPECT_EQ(lost_, 0ms);
    EXPECT_EQ(concealed_, 0ns);
}

TEST_F(ChirpPath, AnalysisMatchesCountersIfFramesAreLost)
{
    const auto account = run([](guint64 number) { return number % 30 == 29; });
    EXPECT_EQ(account.events.size(), 6u) << account;
    EXPECT_EQ(account.missing, lost_) << account;
    EXPECT_EQ(account.concealed, lost_) << account;
    EXPECT_EQ(account.repeated + account.stale, Samples(0)) << account;
    EXPECT_EQ(concealed_, 0ns);
    EXPECT_EQ(std::chrono::round<std::chrono::milliseconds>(filled_), lost_);
}

TEST_F(ChirpPath, PausesOfTheSenderAreConcealedAndNotCountedAsLost)
{
    const auto account = run([](guint64 number) { return number > 40 && number % 60 < 5; });
    // If the receiver is interrupted in a pause, it is concealed in two parts, and counts as a loss
    // because its end arrives at once.
    EXPECT_GE(account.events.size(), 3u) << account;
    EXPECT_EQ(account.missing, 15 * frame) << account;
    EXPECT_EQ(account.concealed, 15 * frame) << account;
    EXPECT_EQ(account.repeated + account.stale, Samples(0)) << account;
    EXPECT_LE(lost_, 5 * frame); // one pause at most
    EXPECT_EQ(concealed_, 0ns);
    EXPECT_EQ(std::chrono::round<std::chrono::milliseconds>(filled_), 15 * frame);
}

} // namespace
} // namespace jkvm
