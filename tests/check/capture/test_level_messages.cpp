// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the messages of jkvmaudiosrc about the level of its input.
#include "capture/capture_test.h"

namespace jkvm {
namespace {

class CaptureLevelMessages : public CaptureTest {
protected:
    /// Waits for jkvm-level with that reason and returns its field `peak` (dB).
    double wait_for_level(const char *reason)
    {
        gdouble peak = 1;
        const auto message = pipeline_->wait_for_element_message("jkvm-level", reason);
        if (message)
            gst_structure_get_double(gst_message_get_structure(message.get()), "peak", &peak);
        return peak;
    }
};

TEST_F(CaptureLevelMessages, ReportSilenceAndClippingAndAudioAgain)
{
    pcm_.send("amp 0");
    open("level-messages=true silence-after=500 volume=0.1");
    EXPECT_EQ(wait_for_level("silence"), -100);
    pcm_.send("amp 0.5");
    EXPECT_GT(wait_for_level("audio"), -60); // of a frame that may be silent in part
    pcm_.send("amp 2");
    EXPECT_NEAR(wait_for_level("clipping"), 0, 0.1); // before the volume
    pcm_.send("amp 0.5");
    EXPECT_NEAR(wait_for_level("audio"), -6, 1);
}

TEST_F(CaptureLevelMessages, AreOffByDefault)
{
    pcm_.send("amp 0");
    open("silence-after=1");
    follow();
    set("level-messages", TRUE);
    EXPECT_EQ(wait_for_level("silence"), -100); // the first one
}

} // namespace
} // namespace jkvm
