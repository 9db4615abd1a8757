// SPDX-License-Identifier: LGPL-2.1-or-later
// The microphone's whole path: Opus packets as a browser sends them, through the socket and the
// adaptive queue, to a device that records them; the recording is compared with the audio that was
// sent. The queue's minimum delay keeps the audio unbroken on a busy machine.
#include "support/chirp.h"
#include "support/correlation.h"
#include "support/gst_test.h"
#include "support/played_audio.h"
#include "support/temporary_directory.h"

#include "core/base/time.h"
#include "core/base/wait_control.h"

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>
#include <opus.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <random>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::PlayedAudio;
using testing::Samples;
using testing::stat;

constexpr auto packet = 20ms;

/// Encodes the chirp as a browser does: mono, 20 ms.
std::vector<std::vector<unsigned char>> encode_chirp(std::size_t packets)
{
    constexpr std::size_t frame = 960;
    int error = OPUS_OK;
    const std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder(
        opus_encoder_create(48000, 1, OPUS_APPLICATION_AUDIO, &error), opus_encoder_destroy);
    EXPECT_EQ(error, OPUS_OK);
    opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(128000));
    const auto chirp = testing::make_chirp();
    std::vector<std::vector<unsigned char>> coded;
    coded.reserve(packets);
    for (std::size_t i = 0; i < packets; ++i) {
        std::vector<unsigned char> bytes(1500);
        const auto size = opus_encode(encoder.get(), &chirp.at(i * frame % chirp.size()), frame,
                                      bytes.data(), static_cast<opus_int32>(bytes.size()));
        bytes.resize(static_cast<std::size_t>(std::max(size, 0)));
        coded.push_back(std::move(bytes));
    }
    return coded;
}

class MicrophoneCircle : public ::testing::Test {
protected:
    static constexpr std::size_t packets = 250;
    /// While the device's clock is estimated, resampling moves the audio by single samples.
    static constexpr Samples resampling{48};

    MicrophoneCircle() { pcm_.record_playback(); }

    /// Connects both pipelines. `adapt`: how the queue changes its delay.
    void start(const std::string &adapt)
    {
        receiving_.emplace("jkvmipcsrc name=ipc direction=microphone socket-path=" + path_ +
                           " ! jkvmadaptivequeue name=queue min-delay=200 adapt=" + adapt +
                           " ! "
                           "jkvmaudiosink name=sink device=" +
                           pcm_.device());
        sending_.emplace("appsrc name=src is-live=true format=time "
                         "caps=audio/x-opus,channels=1,channel-mapping-family=0 ! "
                         "jkvmipcsink name=ipc direction=microphone socket-path=" +
                         path_);
        receiving_->play();
        sending_->play();
        wait_until_connected(sending_->element("ipc"));
        wait_until_connected(receiving_->element("sink"));
    }

    /// Waits for the field `connected` of its statistics.
    void wait_until_connected(GstElement *element)
    {
        const auto is_connected = [element] {
            gboolean connected = FALSE;
            const auto stats = testing::stats_of(element);
            EXPECT_TRUE(gst_structure_get_boolean(stats.get(), "connected", &connected));
            return connected != FALSE;
        };
        for (const auto end = monotonic_now() + 20s; !is_connected();) {
            ASSERT_LT(monotonic_now(), end);
            pause_.sleep_until(monotonic_now() + 5ms);
        }
    }
    [[nodiscard]] nanoseconds concealed()
    {
        return nanoseconds(stat(receiving_->element("sink"), "concealed"));
    }

    /// Sends packets whose timestamps count samples, as RTP's do, and which arrive up to 8 ms late.
    /// `is_lost` decides by the number of the packet.
    void send(bool (*is_lost)(std::size_t))
    {
        const auto coded = encode_chirp(packets);
        std::mt19937 random(1); // NOLINT(cert-msc51-cpp): the same arrivals in each run
        std::uniform_int_distribution<int> jitter(0, 8000);
        begin_ = monotonic_now();
        const auto running =
            begin_.time_since_epoch() - nanoseconds(gst_element_get_base_time(sending_->get()));
        for (std::size_t i = 0; i < packets; ++i) {
            const nanoseconds time = packet * static_cast<int>(i);
            const auto arrival = begin_ + time + packet + std::chrono::microseconds(jitter(random));
            pause_.sleep_until(arrival);
            longest_delay_ = std::max<nanoseconds>(longest_delay_, monotonic_now() - arrival);
            if (i == 0 || i + 1 == packets)
                underruns_ = stat(receiving_->element("sink"), "underruns") - underruns_;
            // Before the first packet and after the last one, there is nothing but concealment.
            if (i == 30 || i + 1 == packets)
                concealed_ = concealed() - (i == 30 ? 0ns : concealed_);
            if (i == 50)
                g_object_set(receiving_->element("queue"), "min-delay", min_delay_, nullptr);
            if (is_lost(i))
                continue;
            auto *buffer = gst_buffer_new_memdup(coded[i].data(), coded[i].size());
            GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>((running + time).count());
            GST_BUFFER_DURATION(buffer) = 20 * GST_MSECOND;
            gst_app_src_push_buffer(GST_APP_SRC(sending_->element("src")), buffer);
        }
        pause_.sleep_until(monotonic_now() + 500ms); // everything is played
    }
    /// Whether the machine interrupted this process for longer than the sink's ring or a packet's
    /// delay allows. The recording is then not judged, because the path is right to lose audio.
    [[nodiscard]] bool is_disturbed() const { return underruns_ > 0 || longest_delay_ > 50ms; }
    /// Stops playback. Returns the recording as S16.
    std::vector<std::int16_t> stop()
    {
        lost_ = stat(receiving_->element("ipc"), "lost");
        queue_dropped_ = stat(receiving_->element("queue"), "dropped");
        sink_dropped_ = stat(receiving_->element("sink"), "dropped");
        receiving_->set_state(GST_STATE_NULL);
        const PlayedAudio played(pcm_);
        const auto channel = played.channel();
        std::vector<std::int16_t> samples;
        samples.reserve(channel.size());
        for (const double sample : channel)
            samples.push_back(static_cast<std::int16_t>(std::lround(sample)));
        return samples;
    }
    /// Time from the capture of a sample to its playout, `offset` after the first packet was sent.
    nanoseconds measure_latency(std::span<const std::int16_t> samples, nanoseconds offset)
    {
        const PlayedAudio played(pcm_);
        std::size_t first = 0;
        while (played.time_of(static_cast<double>(first)) < begin_.time_since_epoch() + offset)
            ++first;
        const auto window = samples.subspan(first, 960);
        const auto chirp = testing::make_chirp();
        const std::vector<float> wanted(window.begin(), window.end());
        const std::vector<float> signal(chirp.begin(), chirp.end());
        const auto match = testing::find_in_loop(wanted, signal);
        EXPECT_GT(match.correlation, 0.7);
        const auto captured =
            std::chrono::duration_cast<nanoseconds>(Samples(static_cast<std::int64_t>(match.lag)));
        return played.time_of(static_cast<double>(first)) - begin_.time_since_epoch() - captured;
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("mic.sock");
    testing::TestPcm pcm_;
    std::optional<testing::Pipeline> receiving_;
    std::optional<testing::Pipeline> sending_;
    guint min_delay_ = 200; // ms, of the queue after the first second
    WaitControl pause_;     // never set
    MonotonicTime begin_{};
    nanoseconds longest_delay_{0}; // of sending a packet
    guint64 underruns_ = 0;        // of the sink, between the first and the last packet
    guint64 lost_ = 0;
    guint64 queue_dropped_ = 0;
    guint64 sink_dropped_ = 0;
    nanoseconds concealed_{0}; // by the sink, between the first and the last packet
};

TEST_F(MicrophoneCircle, PlaysEachSampleOnceWithABoundedLatency)
{
    start("frames");
    send([](std::size_t) { return false; });
    const auto samples = stop();
    if (is_disturbed())
        GTEST_SKIP() << "interrupted: " << underruns_ << " underruns";
    const auto account = analyse_chirp(samples, 1, testing::opus_tolerance(packet));
    EXPECT_LE(account.missing + account.repeated + account.stale + account.concealed, resampling)
        << account;
    EXPECT_GE(account.played, packet * static_cast<int>(packets) - 60ms) << account;
    EXPECT_EQ(lost_ + queue_dropped_ + sink_dropped_, 0u);
    EXPECT_EQ(concealed_, 0ns);
    // The packet, the queue's delay of 200 ms, the ring and the codec's delay of 6.5 ms.
    const auto latency = measure_latency(samples, 3s);
    std::cout << "latency from capture to the device: " << latency / 1us << " us\n";
    EXPECT_GT(latency, 220ms);
    EXPECT_LT(latency, 400ms);
}

TEST_F(MicrophoneCircle, SlewsToALargerDelayWithoutAJump)
{
    start("auto");
    min_delay_ = 250; // at 5 ms per second, the change lasts longer than the test
    send([](std::size_t) { return false; });
    const auto samples = stop();
    if (is_disturbed())
        GTEST_SKIP() << "interrupted: " << underruns_ << " underruns";
    const testing::ChirpTolerance tolerance{
        .transition = 4ms, .frame = Samples(0), .concealment = Samples(0), .is_slewed = true};
    const auto account = analyse_chirp(samples, 1, tolerance);
    EXPECT_LE(account.missing + account.repeated + account.stale + account.concealed, resampling)
        << account;
    EXPECT_GE(account.played, packet * static_cast<int>(packets) - 60ms) << account;
    EXPECT_EQ(lost_ + queue_dropped_ + sink_dropped_, 0u);
    EXPECT_EQ(concealed_, 0ns);
    const auto growth = measure_latency(samples, 4500ms) - measure_latency(samples, 2s);
    std::cout << "the latency grew by " << growth / 1us << " us in 2.5 s\n";
    EXPECT_GT(growth, 8ms);
    EXPECT_LT(growth, 15ms);
}

TEST_F(MicrophoneCircle, AccountEqualsCountersIfPacketsAreLost)
{
    start("frames");
    send([](std::size_t number) { return number % 50 == 49 && number < 240; });
    const auto samples = stop();
    if (is_disturbed())
        GTEST_SKIP() << "interrupted: " << underruns_ << " underruns";
    const auto account = analyse_chirp(samples, 1, testing::opus_tolerance(packet));
    const auto losses = std::count_if(account.events.begin(), account.events.end(),
                                      [](const auto &event) { return event.concealed > 10ms; });
    EXPECT_EQ(losses, 4) << account;
    EXPECT_LE(std::chrono::abs(account.missing - 4 * packet), resampling) << account;
    EXPECT_LE(std::chrono::abs(account.concealed - concealed_), resampling)
        << account << ", counted " << concealed_.count();
    EXPECT_LE(account.repeated + account.stale, resampling) << account;
    EXPECT_EQ(queue_dropped_ + sink_dropped_, 0u);
}

} // namespace
} // namespace jkvm
