// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that a slow receiver makes the encoder in another process reduce its load, and restore its
// settings later.
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

namespace jkvm {
namespace {

using testing::Pipeline;

/// Captures audio and serves it from a separate process.
class Sender {
public:
    explicit Sender(const std::string &path)
        : program_(testing::gst_launch(
              "-m jkvmaudiosrc quality=high stats-interval=50 device=" + pcm_.device() +
              " ! jkvmipcsink stats-interval=0 socket-path=" + path))
    {}

    /// Polls the encoder's bitrate (bit/s) until the predicate accepts it. Returns false on a
    /// time-out.
    bool wait_for_bitrate(const std::function<bool(unsigned)> &is_expected)
    {
        const std::string report = "application/x-jkvm-audiosrc-stats";
        const std::string field = "bitrate=(uint)";
        while (program_.wait_for_output(report, ++reports_)) {
            const auto &output = program_.output();
            const auto at = output.find(field, output.rfind(report));
            // The line may be incomplete; the next one follows soon.
            if (at != std::string::npos && output.find(',', at) != std::string::npos &&
                is_expected(static_cast<unsigned>(std::stoul(output.substr(at + field.size())))))
                return true;
            if (reports_ > max_polls)
                return false;
        }
        return false;
    }

private:
    static constexpr int max_polls = 600; // polls, half a minute

    testing::TestPcm pcm_;
    testing::Program program_;
    int reports_ = 0;
};

/// Receives audio through a queue that can delay it.
class Receiver {
public:
    explicit Receiver(const std::string &path)
        : pipeline_("jkvmipcsrc socket-path=" + path +
                    " ! queue name=hold max-size-time=0 max-size-bytes=0 max-size-buffers=0 "
                    "! jkvmadaptivequeue name=queue optimize=true optimize-interval=100 "
                    "optimize-cool-down=200 stats-interval=20 ! fakesink sync=false")
    {
        pipeline_.play();
        // The queue has to measure the minimum transit and the duration of frames first.
        for (int i = 0; i < 25; ++i)
            pipeline_.wait_for_element_message("application/x-jkvm-adaptivequeue-stats");
    }
    /// Delays all further buffers by this much. If the delay gets shorter, queued buffers are
    /// released at once.
    void delay_buffers(unsigned milliseconds)
    {
        g_object_set(pipeline_.element("hold"), "min-threshold-time",
                     guint64{milliseconds} * GST_MSECOND, nullptr);
    }

private:
    Pipeline pipeline_;
};

class Optimize : public ::testing::Test {
protected:
    static constexpr unsigned preset = 192000;

    /// Expects at most this share of the preset. (The bitrate of the tone slightly exceeds the
    /// preset.)
    void expect_less_than(double share)
    {
        EXPECT_TRUE(sender_.wait_for_bitrate([&](unsigned bitrate) {
            return bitrate <= share * preset;
        })) << share;
    }
    void expect_preset()
    {
        EXPECT_TRUE(sender_.wait_for_bitrate([](unsigned bitrate) { return bitrate == preset; }));
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    Sender sender_{path_};
};

TEST_F(Optimize, ReducesEncoderLoadInStepsAndRestoresPreset)
{
    Receiver receiver(path_);
    expect_preset();
    receiver.delay_buffers(60);
    expect_less_than(0.92);
    receiver.delay_buffers(130);
    expect_less_than(0.82);
    receiver.delay_buffers(200);
    expect_less_than(0.62);
    receiver.delay_buffers(320);
    expect_less_than(0.35);
    receiver.delay_buffers(0);
    expect_preset();
}

TEST_F(Optimize, RestoresPresetWhenSlowReceiverDisconnects)
{
    auto receiver = std::make_unique<Receiver>(path_);
    receiver->delay_buffers(200);
    expect_less_than(0.62);
    receiver.reset();
    expect_preset();
}

TEST(RequestedSettings, ApplyWhileTheReceiverRuns)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    Sender sender(path);
    const auto is = [](unsigned expected) {
        return [expected](unsigned bitrate) { return bitrate == expected; };
    };
    ASSERT_TRUE(sender.wait_for_bitrate(is(192000)));
    {
        testing::Program receiver(
            testing::gst_launch("-m jkvmipcsrc quality=low socket-path=" + path + " ! fakesink"));
        EXPECT_TRUE(sender.wait_for_bitrate(is(32000)));
        EXPECT_TRUE(receiver.wait_for_output("decided-by=(string)request")) << "in jkvm-source";
    }
    EXPECT_TRUE(sender.wait_for_bitrate(is(192000)));
}

} // namespace
} // namespace jkvm
