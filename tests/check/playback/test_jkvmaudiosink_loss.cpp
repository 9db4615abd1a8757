// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmaudiosink: lost Opus packets.
#include "codec/opus_decoder.h"
#include "playback/audio_sink_test.h"
#include "playback/bursts.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::Bursts;

class AudioSinkLoss : public AudioSinkTest {
protected:
    void start_opus()
    {
        make({});
        set_caps("audio/x-opus, channels=1, rate=48000, channel-mapping-family=0");
        pipeline_->play();
    }
    void push(const std::vector<unsigned char> &data, nanoseconds time)
    {
        auto *buffer = gst_buffer_new_memdup(data.data(), data.size());
        GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(time.count());
        GST_BUFFER_DURATION(buffer) = 20 * GST_MSECOND;
        ASSERT_EQ(gst_app_src_push_buffer(source(), buffer), GST_FLOW_OK);
    }
    /// Loses the first packet of each burst. Returns the mean level of the lost parts.
    double play_bursts(bool has_fec)
    {
        Bursts bursts(has_fec, false);
        start_opus();
        constexpr int packets = 150;
        recoverable_ = 0;
        for (int i = 0; i < packets; ++i, pushed_ += packet) {
            const auto data = bursts.next();
            if (!Bursts::begins_at(i))
                push(data, pushed_);
            // The device takes 300 ms to start.
            if (Bursts::begins_at(i - 1) && pushed_ > 300ms &&
                has_in_band_fec(std::as_bytes(std::span(data))))
                ++recoverable_;
            pause_.sleep_until(MonotonicTime(base() + pushed_));
        }
        const auto time = due();
        const auto played = stop();
        const auto samples = played.channel();
        double sum = 0;
        int count = 0;
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const auto at = played.time_of(static_cast<double>(i)) - time;
            // Without the encoder's look-ahead, and without the first bursts: the device starts.
            if (at < 500ms || !Bursts::begins_at(static_cast<int>(at / packet)) ||
                at % packet < 8ms)
                continue;
            sum += samples[i] * samples[i];
            ++count;
        }
        return std::sqrt(sum / std::max(count, 1));
    }
    int recoverable_ = 0; // lost packets
};

TEST_F(AudioSinkLoss, RecoversLostPacketsFromTheNextOnes)
{
    const double level = play_bursts(true);
    EXPECT_GE(recoverable_, 4);
    // On a busy machine some of them are late, or the packets that could recover them.
    EXPECT_GE(testing::stat(sink(), "fec-recovered"),
              static_cast<guint64>(recoverable_) * 10 * GST_MSECOND);
    EXPECT_GT(level, 2500);
    RecordProperty("level", std::to_string(level));
}

TEST_F(AudioSinkLoss, CannotRecoverThemWithoutFec)
{
    const double level = play_bursts(false);
    EXPECT_EQ(testing::stat(sink(), "fec-recovered"), 0u);
    EXPECT_GE(testing::stat(sink(), "concealed"), 120 * GST_MSECOND);
    EXPECT_LT(level, 1000);
    RecordProperty("level", std::to_string(level));
}

} // namespace
} // namespace jkvm
