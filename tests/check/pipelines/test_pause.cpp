// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the sources continue after rapid changes between PAUSED and PLAYING, and end on EOS.
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

namespace jkvm {
namespace {

using testing::Pipeline;

void expect_audio_after_pauses(const std::string &source)
{
    Pipeline pipeline(source + " ! appsink name=sink sync=false max-buffers=1 drop=true");
    auto *sink = GST_APP_SINK(pipeline.element("sink"));
    const auto pull = [sink] {
        const auto timeout =
            static_cast<GstClockTime>(std::chrono::nanoseconds(testing::wait_timeout).count());
        return GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, timeout));
    };
    pipeline.play();
    ASSERT_TRUE(pull());
    for (int i = 0; i < 300; ++i) {
        pipeline.set_state(GST_STATE_PAUSED);
        pipeline.play();
    }
    for (int frame = 0; frame < 3; ++frame) // one may be left in the sink
        ASSERT_TRUE(pull()) << frame;
}

TEST(Pause, IpcSourceContinuesAfterRapidChanges)
{
    const testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    Pipeline server("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                    "jkvmipcsink socket-path=" +
                    path);
    server.play();
    expect_audio_after_pauses("jkvmipcsrc socket-path=" + path);
}

TEST(Pause, IpcSourceEndsWithoutAFrame)
{
    const testing::TemporaryDirectory directory;
    Pipeline pipeline("jkvmipcsrc socket-path=" + directory.file("a.sock") + " ! fakesink");
    pipeline.play();
    gst_element_send_event(pipeline.get(), gst_event_new_eos());
    pipeline.wait_for_eos();
}

TEST(Pause, AudioSourceContinuesAfterRapidChanges)
{
    const testing::TestPcm pcm;
    expect_audio_after_pauses("jkvmaudiosrc device=" + pcm.device());
}

} // namespace
} // namespace jkvm
