// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmaudiosrc with devices whose format has to be converted: pitch, continuity and latency
// of a tone.
#include "capture/capture_test.h"
#include "support/tone.h"

#include <atomic>

namespace jkvm {
namespace {

struct Device {
    const char *name;
    unsigned rate;
    unsigned channels;
    const char *format;
    bool is_converted;
};

class CaptureConversion : public CaptureTest, public ::testing::WithParamInterface<Device> {};

TEST_P(CaptureConversion, ToneIsCompleteAndOnTime)
{
    const auto &device = GetParam();
    if (device.rate > 0)
        pcm_.set_rate(device.rate);
    if (device.channels > 0)
        pcm_.set_channels(device.channels);
    pcm_.set_format(device.format);
    open_samples("buffer-time=1000000");
    std::vector<double> left;
    GstClockTimeDiff minimum = G_MAXINT64;
    for (int i = 0; i < 50; ++i) {
        const auto pulled = follow();
        EXPECT_EQ(pulled.int_of_caps("channels"), 2);
        EXPECT_EQ(pulled.int_of_caps("rate"), 48000);
        const auto samples = pulled.samples();
        ASSERT_EQ(samples.size(), 2u * 960);
        for (std::size_t s = 0; s < samples.size(); s += 2)
            left.push_back(samples[s]);
        minimum = std::min(
            minimum, GST_CLOCK_DIFF(pulled.time(), gst_element_get_current_running_time(src())));
    }
    const std::vector<double> settled(left.begin() + 2400, left.end());
    EXPECT_NEAR(testing::measure_frequency(settled, 48000, 997), 997, 0.01);
    // Resampler and dither add a small error.
    EXPECT_EQ(testing::count_breaks(settled, 48000, 997, 12), 0u);
    EXPECT_NEAR(std::ranges::max(settled), 16384, 200);
    EXPECT_GE(minimum, static_cast<GstClockTimeDiff>(latency()) - GST_MSECOND);
    EXPECT_LE(minimum, static_cast<GstClockTimeDiff>(latency()) + 5 * GST_MSECOND);

    const auto stats = testing::stats_of(src());
    guint rate = 0;
    gboolean is_converted = FALSE;
    ASSERT_TRUE(gst_structure_get(stats.get(), "device-rate", G_TYPE_UINT, &rate, "converted",
                                  G_TYPE_BOOLEAN, &is_converted, nullptr));
    EXPECT_EQ(rate, device.rate > 0 ? device.rate : 48000);
    EXPECT_EQ(is_converted != FALSE, device.is_converted);
    EXPECT_EQ(text_stat("device-format"), *device.format != 0 ? device.format : "S16_LE");
}

INSTANTIATE_TEST_SUITE_P(
    Devices, CaptureConversion,
    ::testing::Values(Device{"AsWanted", 0, 0, "", false}, Device{"Cd", 44100, 0, "", true},
                      Device{"Phone", 8000, 1, "", true}, Device{"Studio", 192000, 0, "", true},
                      Device{"Half", 24000, 2, "S16_LE", true}, Device{"Mono", 0, 1, "", true},
                      Device{"Surround", 0, 6, "", true}, Device{"Odd", 0, 3, "", true},
                      Device{"Packed24", 0, 0, "S24_3LE", true},
                      Device{"Padded24", 0, 0, "S24_LE", true},
                      Device{"Wide", 96000, 8, "S32_LE", true}),
    [](const auto &info) { return std::string(info.param.name); });

struct Size {
    const char *nick;
    GstClockTime length;
};
class CaptureLatency : public CaptureTest, public ::testing::WithParamInterface<Size> {};

// A busy machine may be late but never early; the best of many frames counts.
TEST_P(CaptureLatency, MatchesTheQueryWithinOneMillisecond)
{
    open("buffer-time=1000000 frame-size=" + std::string(GetParam().nick));
    GstClockTime time = 0;
    // Measured on the streaming thread where the buffer leaves the element.
    struct Arrival {
        GstElement *src;
        std::atomic<GstClockTimeDiff> minimum{G_MAXINT64};
    } arrival{src()};
    const auto measure = +[](GstPad *, GstPadProbeInfo *info, gpointer data) {
        auto &to = *static_cast<Arrival *>(data);
        const auto now = gst_element_get_current_running_time(to.src);
        const auto late = GST_CLOCK_DIFF(GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)), now);
        to.minimum = std::min(to.minimum.load(), late);
        return GST_PAD_PROBE_OK;
    };
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(src(), "src"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, measure, &arrival, nullptr);
    while (time < 2 * GST_SECOND)
        time += follow().duration();
    const auto minimum = arrival.minimum.load();
    EXPECT_EQ(latency(), GetParam().length + look_ahead);
    EXPECT_GE(minimum, static_cast<GstClockTimeDiff>(latency() - GST_MSECOND));
    EXPECT_LE(minimum, static_cast<GstClockTimeDiff>(latency() + GST_MSECOND));
    pipeline_->set_state(GST_STATE_NULL);
}

INSTANTIATE_TEST_SUITE_P(
    FrameSizes, CaptureLatency,
    ::testing::Values(Size{"2.5", 2500 * GST_USECOND}, Size{"5", 5 * GST_MSECOND},
                      Size{"10", 10 * GST_MSECOND}, Size{"20", 20 * GST_MSECOND},
                      Size{"40", 40 * GST_MSECOND}, Size{"60", 60 * GST_MSECOND}),
    [](const auto &info) { return std::to_string(info.param.length / GST_USECOND) + "us"; });

} // namespace
} // namespace jkvm
