// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the output of jkvmaudiosrc is continuous while its settings change.
#include "capture/capture_test.h"
#include "support/tone.h"

#include <opus.h>

#include <memory>

namespace jkvm {
namespace {

constexpr int decoded_rate = 48000;

/// One decoder for the whole stream, as in a browser: its output is always stereo at 48 kHz.
class Decoder {
public:
    Decoder() : decoder_(opus_decoder_create(decoded_rate, 2, nullptr)) {}

    /// Appends the left channel.
    void decode(const Pulled &packet, std::vector<double> &to)
    {
        const auto bytes = packet.bytes();
        std::vector<std::int16_t> samples(std::size_t{2} * 2880);
        const int count =
            opus_decode(decoder_.get(), bytes.data(), static_cast<opus_int32>(bytes.size()),
                        samples.data(), 2880, 0);
        ASSERT_GT(count, 0);
        EXPECT_EQ(static_cast<GstClockTime>(count) * GST_SECOND / decoded_rate, packet.duration());
        for (int i = 0; i < count; ++i)
            to.push_back(samples.at(2 * static_cast<std::size_t>(i)));
    }

private:
    struct Destroy {
        void operator()(OpusDecoder *decoder) const { opus_decoder_destroy(decoder); }
    };
    std::unique_ptr<OpusDecoder, Destroy> decoder_;
};

using CaptureSteadiness = CaptureTest;

TEST_F(CaptureSteadiness, ToneIsCompleteWhileTheQualityChangesEverySecond)
{
    open("buffer-time=2000000 slave-method=none");
    const char *const qualities[] = {"low", "medium", "high", "ultra"};
    Decoder decoder;
    std::vector<double> left;
    GstClockTime next_change = 0;
    int changes = 0;
    const auto begin = follow();
    decoder.decode(begin, left);
    while (end_ < begin.time() + 60 * GST_SECOND) {
        const auto packet = follow();
        decoder.decode(packet, left);
        if (packet.time() >= next_change) {
            gst_util_set_object_arg(G_OBJECT(src()), "quality", qualities[changes++ % 4]);
            next_change = packet.time() + GST_SECOND;
        }
    }
    EXPECT_GE(changes, 59);
    EXPECT_EQ(stat("overruns"), 0u);
    EXPECT_EQ(stat("silent-frames"), 0u);
    const std::vector<double> settled(left.begin() + decoded_rate / 10, left.end());
    EXPECT_NEAR(testing::measure_frequency(settled, decoded_rate, 997), 997, 0.005);
    // Codec noise is far below this, a missing or repeated sample far above.
    EXPECT_EQ(testing::count_breaks(settled, decoded_rate, 997, 300), 0u);
}

TEST_F(CaptureSteadiness, ChangeOfTheAudioTypeIsInaudible)
{
    open("buffer-time=1000000 slave-method=none bitrate=192000");
    Decoder decoder;
    std::vector<double> left;
    const char *const types[] = {"restricted-lowdelay", "generic"};
    for (int i = 0; i < 100; ++i) {
        decoder.decode(follow(), left);
        if (i % 10 == 9)
            gst_util_set_object_arg(G_OBJECT(src()), "audio-type", types[i / 10 % 2]);
    }
    const std::vector<double> settled(left.begin() + decoded_rate / 10, left.end());
    EXPECT_NEAR(testing::measure_frequency(settled, decoded_rate, 997), 997, 0.02);
    EXPECT_EQ(testing::count_breaks(settled, decoded_rate, 997, 300), 0u);
}

} // namespace
} // namespace jkvm
