// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests how far apart the GAP events are that represent omitted audio.
#include "common/gst_ref.h"
#include "common/heartbeat_context.h"
#include "omitted_audio.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// Records the ends of the GAP events of a source that is not part of a pipeline.
class OmittedAudioTest : public ::testing::Test {
protected:
    OmittedAudioTest()
    {
        const auto on_event = [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
            auto *event = gst_pad_probe_info_get_event(info);
            GstClockTime begin = 0;
            GstClockTime duration = 0;
            if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
                gst_event_parse_gap(event, &begin, &duration);
                static_cast<OmittedAudioTest *>(self)->ends_.emplace_back(begin + duration);
            }
            return GST_PAD_PROBE_DROP;
        };
        auto *pad = GST_BASE_SRC_PAD(src_.get());
        GST_PAD_UNSET_FLUSHING(pad);
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, this, nullptr);
    }
    ~OmittedAudioTest() override { GST_PAD_SET_FLUSHING(GST_BASE_SRC_PAD(src_.get())); }

    /// Starts a stream with this interval of the heartbeat; 0 = none.
    void start(nanoseconds heartbeat)
    {
        if (heartbeat > 0ns)
            set_heartbeat_context(src_.get(), heartbeat);
        audio_.reset();
    }

    GstRef<GstElement> src_ = GstRef<GstElement>::adopt(
        GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("fakesrc", nullptr))));
    OmittedAudio audio_{GST_BASE_SRC(src_.get())};
    std::vector<nanoseconds> ends_;
};

using Ends = std::vector<nanoseconds>;

TEST_F(OmittedAudioTest, FramesAreJoinedUpToTheInterval)
{
    start(50ms);
    for (auto begin = 0ms; begin < 120ms; begin += 20ms)
        audio_.extend(begin, begin + 20ms, 20ms);
    EXPECT_EQ(ends_, (Ends{40ms, 80ms, 120ms}));
}

TEST_F(OmittedAudioTest, EachWakeUpWithNewAudioPushesAnEvent)
{
    start(50ms);
    audio_.extend(100ms, 80ms, 50ms); // a release: the last frame ended at 100 ms
    EXPECT_EQ(ends_, Ends{});
    audio_.extend(100ms, 130ms, 50ms);
    audio_.extend(100ms, 179ms, 50ms); // a clock that is slower than the one of the wake-ups
    audio_.extend(100ms, 228ms, 50ms);
    EXPECT_EQ(ends_, (Ends{130ms, 179ms, 228ms}));
    EXPECT_TRUE(audio_.finish(240ms));
    EXPECT_EQ(ends_.back(), 240ms);
}

TEST_F(OmittedAudioTest, EventsAreASecondApartWithoutAHeartbeat)
{
    start(0ns);
    for (auto begin = 0ms; begin < 2000ms; begin += 20ms)
        audio_.extend(begin, begin + 20ms, 20ms);
    EXPECT_EQ(ends_, (Ends{1s, 2s}));
}

TEST_F(OmittedAudioTest, IntervalOutOfRangeIsADay)
{
    set_heartbeat_context(src_.get(), nanoseconds(-1)); // the maximum of an unsigned number
    EXPECT_EQ(heartbeat_interval(src_.get()), 24h);
}

} // namespace
} // namespace jkvm
