// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmaudiosink: lost and late Opus packets.
#include "codec/opus_decoder.h"
#include "playback/audio_sink_test.h"

#include <opus.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <span>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::PlayedAudio;

/// A voice-like signal: bursts of 440 Hz that last two packets, one in ten packets. Concealment
/// cannot know a burst whose first packet is lost.
class Bursts {
public:
    static constexpr int distance = 10; // packets
    static constexpr int first = 5;
    static bool begins_at(int packet) { return packet % distance == first; }

    Bursts(bool has_fec, bool is_continuous)
        : is_continuous_(is_continuous),
          encoder_(opus_encoder_create(48000, 1, OPUS_APPLICATION_VOIP, nullptr),
                   &opus_encoder_destroy)
    {
        opus_encoder_ctl(encoder_.get(), OPUS_SET_BITRATE(32000));
        opus_encoder_ctl(encoder_.get(), OPUS_SET_BANDWIDTH(OPUS_BANDWIDTH_WIDEBAND));
        opus_encoder_ctl(encoder_.get(), OPUS_SET_INBAND_FEC(has_fec ? 1 : 0));
        opus_encoder_ctl(encoder_.get(), OPUS_SET_PACKET_LOSS_PERC(has_fec ? 30 : 0));
    }

    /// `frames`: of the packet, at 48 kHz.
    std::vector<unsigned char> next(int frames = 960)
    {
        std::vector<float> samples(static_cast<std::size_t>(frames));
        const bool sounds = is_continuous_ || begins_at(index_) || begins_at(index_ - 1);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const auto position = static_cast<std::size_t>(index_) * samples.size() + i;
            const double phase = 2 * std::numbers::pi * 440 / 48000 * static_cast<double>(position);
            samples[i] = static_cast<float>((sounds ? 0.5 : 0.002) * std::sin(phase));
        }
        ++index_;
        std::vector<unsigned char> packet(1500);
        packet.resize(static_cast<std::size_t>(
            opus_encode_float(encoder_.get(), samples.data(), frames, packet.data(), 1500)));
        return packet;
    }

private:
    bool is_continuous_;
    std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder_;
    int index_ = 0;
};

class AudioSinkLoss : public AudioSinkTest {
protected:
    void start_opus()
    {
        make({});
        set_caps("audio/x-opus, channels=1, rate=48000, channel-mapping-family=0");
        pipeline_->play();
    }
    void push(const std::vector<unsigned char> &packet, nanoseconds time,
              nanoseconds duration = 20ms)
    {
        auto *buffer = gst_buffer_new_memdup(packet.data(), packet.size());
        GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(time.count());
        GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(duration.count());
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

    /// The lowest level of 5 ms in that time.
    static double lowest_level(const PlayedAudio &played, nanoseconds begin, nanoseconds end)
    {
        const auto samples = played.channel();
        double lowest = 1e9;
        for (std::size_t i = 0; i + 240 < samples.size(); i += 48) {
            const auto at = played.time_of(static_cast<double>(i));
            if (at < begin || at >= end)
                continue;
            double sum = 0;
            for (std::size_t k = i; k < i + 240; ++k)
                sum += samples[k] * samples[k];
            lowest = std::min(lowest, std::sqrt(sum / 240));
        }
        return lowest;
    }
};

TEST_F(AudioSinkLoss, RecoversLostPacketsFromTheNextOnes)
{
    const double level = play_bursts(true);
    EXPECT_GE(recoverable_, 4);
    EXPECT_GE(testing::stat(sink(), "fec-recovered"),
              static_cast<guint64>(recoverable_) * 20 * GST_MSECOND);
    EXPECT_GT(level, 4000);
    RecordProperty("level", std::to_string(level));
}

TEST_F(AudioSinkLoss, CannotRecoverThemWithoutFec)
{
    const double level = play_bursts(false);
    EXPECT_EQ(testing::stat(sink(), "fec-recovered"), 0u);
    EXPECT_GE(testing::stat(sink(), "concealed"), 240 * GST_MSECOND);
    EXPECT_LT(level, 1000);
    RecordProperty("level", std::to_string(level));
}

TEST_F(AudioSinkLoss, ConcealsALatePacketWithoutAGapAndPlaysItsRest)
{
    Bursts tone(false, true);
    start_opus();
    std::vector<unsigned char> late;
    constexpr int late_packet = 30;
    constexpr int packets = 60;
    for (int i = 0; i < packets; ++i, pushed_ += packet) {
        // Packets after it are late as well, as in a queue; they catch up.
        if (i == late_packet)
            pause_.sleep_until(MonotonicTime(due() + pushed_ + 8ms));
        push(tone.next(), pushed_);
        pause_.sleep_until(MonotonicTime(base() + pushed_));
    }
    const auto time = due() + nanoseconds(packet) * late_packet;
    const auto played = stop();
    EXPECT_GE(testing::stat(sink(), "underruns"), 1u);
    EXPECT_GE(testing::stat(sink(), "concealed"), 10 * GST_MSECOND);
    EXPECT_LE(testing::stat(sink(), "concealed"), 60 * GST_MSECOND);
    EXPECT_GT(lowest_level(played, time - 100ms, time + 200ms), 4000);
}

TEST_F(AudioSinkLoss, ConcealsLostPacketsOf2500Us)
{
    Bursts tone(false, true);
    start_opus();
    constexpr nanoseconds duration = 2500us;
    int lost = 0;
    for (int i = 0; i < 480; ++i, pushed_ += duration) {
        const auto data = tone.next(120);
        if (i % 20 == 19)
            lost += pushed_ > 400ms ? 1 : 0;
        else
            push(data, pushed_, duration);
        pause_.sleep_until(MonotonicTime(base() + pushed_));
    }
    stop();
    EXPECT_GE(testing::stat(sink(), "concealed"),
              static_cast<guint64>(lost) * 2500 * GST_USECOND - GST_MSECOND);
    EXPECT_LE(testing::stat(sink(), "realignments"), 2u);
}

TEST_F(AudioSinkLoss, FadesOutWhenPacketsEnd)
{
    Bursts tone(false, true);
    start_opus();
    for (; pushed_ < 600ms; pushed_ += packet) {
        push(tone.next(), pushed_);
        pause_.sleep_until(MonotonicTime(base() + pushed_));
    }
    const auto end = due() + pushed_;
    pause_.sleep_until(MonotonicTime(end + 300ms));
    const auto played = stop();
    EXPECT_GT(lowest_level(played, end - 100ms, end + 30ms), 1000);
    EXPECT_EQ(played.first_above(100, end + 115ms), played.frames());
    EXPECT_EQ(testing::stat(sink(), "underruns"), 1u);
}

} // namespace
} // namespace jkvm
