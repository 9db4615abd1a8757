// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include "core/ipc/receive/received_stream.h"
#include "core/ipc/socket/endpoint.h"

#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::accept_from;
using testing::listen_at;
using testing::message_v1;
using testing::Pipeline;
using testing::send_all;
using testing::stat;
using testing::wall_clock_ns;

const std::vector<std::uint8_t> packet{0xFC, 1, 2, 3}; // CELT, 20 ms, stereo

/// Connects the element to a server that the test controls; the clock is at one second.
class JkvmIpcSrc : public ::testing::Test {
protected:
    JkvmIpcSrc() : listener_(listen_at(path_))
    {
        element_ = gst_element_factory_make("jkvmipcsrc", nullptr);
        g_object_set(element_, "socket-path", path_.c_str(), nullptr);
        harness_ = gst_harness_new_with_element(element_, nullptr, "src");
        gst_object_unref(element_); // owned by the harness
        gst_harness_set_time(harness_, GST_SECOND);
    }
    ~JkvmIpcSrc() override { gst_harness_teardown(harness_); }

    void connect()
    {
        gst_harness_play(harness_);
        server_ = accept_from(listener_.get());
        ASSERT_TRUE(server_);
    }
    /// Sends a frame that was captured `age_ms` ago. Returns its capture time.
    std::int64_t send_frame(std::int64_t age_ms)
    {
        const auto captured = wall_clock_ns() - age_ms * 1'000'000;
        send_all(server_.get(), message_v1("UOKJ", 0, captured, packet));
        return captured;
    }
    /// Expects the buffer at its capture time on the pipeline's clock, which is at `now`. Its age
    /// was measured between sending and this call, however slow the machine is.
    static void expect_at_capture_time(const GstRef<GstBuffer> &buffer, GstClockTime now,
                                       std::int64_t age_ms, std::int64_t captured)
    {
        const auto pts = GST_BUFFER_PTS(buffer.get());
        EXPECT_LE(pts, now - static_cast<GstClockTime>(age_ms) * GST_MSECOND);
        EXPECT_GE(pts, now - static_cast<GstClockTime>(wall_clock_ns() - captured));
    }
    GstRef<GstBuffer> pull() { return GstRef<GstBuffer>::adopt(gst_harness_pull(harness_)); }
    /// Returns the next GAP event and skips other events before it.
    Gap pull_gap()
    {
        for (;;) {
            const auto event = GstRef<GstEvent>::adopt(gst_harness_pull_event(harness_));
            if (!event) {
                ADD_FAILURE() << "no GAP event";
                return {};
            }
            if (GST_EVENT_TYPE(event.get()) != GST_EVENT_GAP)
                continue;
            GstClockTime start = 0;
            GstClockTime duration = 0;
            gst_event_parse_gap(event.get(), &start, &duration);
            return {nanoseconds(start), nanoseconds(duration)};
        }
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    UniqueFd listener_;
    UniqueFd server_;
    GstElement *element_ = nullptr;
    GstHarness *harness_ = nullptr;
};

TEST_F(JkvmIpcSrc, PushesFrameWithItsCaptureTimeAndDuration)
{
    connect();
    const auto captured = send_frame(30);
    const auto buffer = pull();
    expect_at_capture_time(buffer, GST_SECOND, 30, captured);
    EXPECT_EQ(GST_BUFFER_DURATION(buffer.get()), 20 * GST_MSECOND);
    EXPECT_TRUE(GST_BUFFER_IS_DISCONT(buffer.get()));
    EXPECT_EQ(gst_buffer_memcmp(buffer.get(), 0, packet.data(), packet.size()), 0);
    EXPECT_EQ(gst_buffer_get_size(buffer.get()), packet.size());
}

TEST_F(JkvmIpcSrc, PushesCodedSilenceWhileMuted)
{
    const std::array<std::uint8_t, 3> silence{0xFC, 0xFF, 0xFE};
    g_object_set(element_, "mute", TRUE, nullptr);
    connect();
    send_frame(30);
    const auto muted = pull();
    EXPECT_EQ(gst_buffer_get_size(muted.get()), silence.size());
    EXPECT_EQ(gst_buffer_memcmp(muted.get(), 0, silence.data(), silence.size()), 0);
    EXPECT_EQ(GST_BUFFER_DURATION(muted.get()), 20 * GST_MSECOND);
    g_object_set(element_, "mute", FALSE, nullptr);
    send_frame(10);
    EXPECT_EQ(gst_buffer_memcmp(pull().get(), 0, packet.data(), packet.size()), 0);
    EXPECT_EQ(stat(element_, "muted"), 1u);
    EXPECT_EQ(stat(element_, "frames"), 2u);
}

TEST_F(JkvmIpcSrc, StartsEachFrameAtTheEndOfThePreviousOne)
{
    connect();
    // In one write, so that a busy machine adds no jitter to that of the timestamps.
    constexpr std::int64_t frames = 20;
    const auto first_captured = wall_clock_ns() - 500'000'000;
    std::vector<std::uint8_t> stream;
    for (std::int64_t i = 0; i < frames; ++i) {
        const auto jitter = i % 2 == 0 ? 0 : 7'000'000;
        const auto message =
            message_v1("UOKJ", 0, first_captured + i * 20'000'000 + jitter, packet);
        stream.insert(stream.end(), message.begin(), message.end());
    }
    send_all(server_.get(), stream);
    const auto first = pull();
    auto expected = GST_BUFFER_PTS(first.get()) + GST_BUFFER_DURATION(first.get());
    for (std::int64_t i = 1; i < frames; ++i) {
        const auto buffer = pull();
        EXPECT_EQ(GST_BUFFER_PTS(buffer.get()), expected);
        EXPECT_NEAR(static_cast<double>(GST_BUFFER_DURATION(buffer.get())), 20e6, 40e3);
        expected += GST_BUFFER_DURATION(buffer.get());
        EXPECT_FALSE(GST_BUFFER_IS_DISCONT(buffer.get()));
    }
    EXPECT_EQ(stat(element_, "lost"), 0u);
}

TEST_F(JkvmIpcSrc, MarksGapAsDiscontinuityAndCountsLostFrames)
{
    connect();
    send_frame(30);
    const auto end_of_first = GST_BUFFER_PTS(pull().get()) + 20 * GST_MSECOND;
    constexpr GstClockTime later = 3 * GST_SECOND;
    gst_harness_set_time(harness_, later);
    const auto captured = send_frame(130); // it waited in the queue that lost frames
    const auto buffer = pull();
    EXPECT_TRUE(GST_BUFFER_IS_DISCONT(buffer.get()));
    expect_at_capture_time(buffer, later, 130, captured);
    const auto missing = GST_BUFFER_PTS(buffer.get()) - end_of_first;
    EXPECT_NEAR(static_cast<double>(stat(element_, "lost")), static_cast<double>(missing) / 20e6,
                1);
}

TEST_F(JkvmIpcSrc, AnnouncesGapBeforeAFrame)
{
    connect();
    send_frame(30);
    const nanoseconds end_of_first(GST_BUFFER_PTS(pull().get()) + 20 * GST_MSECOND);
    gst_harness_set_time(harness_, 3 * GST_SECOND);
    send_frame(20);
    const nanoseconds begin_of_second(GST_BUFFER_PTS(pull().get()));
    const auto gap = pull_gap();
    EXPECT_EQ(gap.start, end_of_first);
    EXPECT_EQ(gap.start + gap.duration, begin_of_second);
}

TEST_F(JkvmIpcSrc, PushesGapsWithoutAServer)
{
    listener_.reset();
    ::unlink(path_.c_str());
    gst_harness_play(harness_);
    const auto first = pull_gap();
    EXPECT_EQ(first.start, 0ns);
    EXPECT_EQ(first.duration, 960ms);
    gst_harness_set_time(harness_, 2 * GST_SECOND);
    const auto second = pull_gap();
    EXPECT_EQ(second.start, first.duration);
    EXPECT_EQ(second.duration, 1s);
}

TEST_F(JkvmIpcSrc, UsesTheTimeOfArrivalInModeArrival)
{
    g_object_set(element_, "timestamp-mode", static_cast<int>(TimestampMode::arrival), nullptr);
    connect();
    send_frame(3000);
    EXPECT_EQ(GST_BUFFER_PTS(pull().get()), GST_SECOND - 20 * GST_MSECOND);
    EXPECT_EQ(gst_harness_query_latency(harness_), 40 * GST_MSECOND);
    EXPECT_GE(stat(element_, "latency-p50"), 2900 * GST_MSECOND);
}

TEST_F(JkvmIpcSrc, SetsTheCapsThatDecodersAndMuxersNeed)
{
    connect();
    send_frame(30);
    pull();
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(element_, "src"));
    const auto caps = GstRef<GstCaps>::adopt(gst_pad_get_current_caps(pad.get()));
    const auto *structure = gst_caps_get_structure(caps.get(), 0);
    EXPECT_STREQ(gst_structure_get_name(structure), "audio/x-opus");
    gint rate = 0;
    gint channels = 0;
    gst_structure_get(structure, "rate", G_TYPE_INT, &rate, "channels", G_TYPE_INT, &channels,
                      nullptr);
    EXPECT_EQ(rate, 48000);
    EXPECT_EQ(channels, 2);
    const GValue *headers = gst_structure_get_value(structure, "streamheader");
    ASSERT_NE(headers, nullptr);
    ASSERT_EQ(gst_value_array_get_size(headers), 2u);
    auto *head = gst_value_get_buffer(gst_value_array_get_value(headers, 0));
    EXPECT_EQ(gst_buffer_memcmp(head, 0, "OpusHead\1\2", 10), 0);
    const std::array<guint8, 2> pre_skip{312 & 0xFF, 312 >> 8};
    EXPECT_EQ(gst_buffer_memcmp(head, 10, pre_skip.data(), pre_skip.size()), 0);
}

TEST_F(JkvmIpcSrc, AnnouncesALatencyThatCoversTheFirstFrame)
{
    connect();
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(element_, bus.get());
    const auto captured = send_frame(123);
    pull();
    const auto latency = gst_harness_query_latency(harness_);
    EXPECT_GE(latency, 130 * GST_MSECOND);
    EXPECT_LE(latency, static_cast<GstClockTime>(wall_clock_ns() - captured) + 20 * GST_MSECOND);
    const auto message =
        GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY));
    EXPECT_TRUE(message);
    gst_element_set_bus(element_, nullptr);
}

TEST_F(JkvmIpcSrc, ReportsMaximumLatencyFromTheSendersQueue)
{
    const auto query = gst_query_new_latency();
    ASSERT_TRUE(gst_element_query(element_, query));
    gboolean is_live = FALSE;
    GstClockTime minimum = 0;
    GstClockTime maximum = 0;
    gst_query_parse_latency(query, &is_live, &minimum, &maximum);
    gst_query_unref(query);
    EXPECT_TRUE(is_live);
    EXPECT_EQ(nanoseconds(maximum - minimum), default_max_queue_time);
}

TEST_F(JkvmIpcSrc, AnnouncesLatencyAgainWhenFramesArriveLater)
{
    connect();
    send_frame(30);
    pull();
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(element_, bus.get());
    for (GstClockTime i = 1; i <= 60; ++i) {
        gst_harness_set_time(harness_, (1300 + 20 * i) * GST_MSECOND);
        send_frame(300);
        pull();
    }
    EXPECT_TRUE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY)));
    EXPECT_GE(gst_harness_query_latency(harness_), 310 * GST_MSECOND);
    gst_element_set_bus(element_, nullptr);
}

TEST_F(JkvmIpcSrc, PostsAMessageWhenTheAverageLatencyCrossesAThreshold)
{
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(element_, bus.get());
    g_object_set(element_, "latency-warning", 400, nullptr);
    connect();
    for (int i = 0; i < 10; ++i) {
        send_frame(500);
        (void)pull();
    }
    GstRef<GstMessage> message;
    do {
        message = GstRef<GstMessage>::adopt(
            gst_bus_timed_pop_filtered(bus.get(), 60 * GST_SECOND, GST_MESSAGE_ELEMENT));
        ASSERT_TRUE(message);
    } while (!gst_message_has_name(message.get(), "jkvm-latency"));
    const auto *fields = gst_message_get_structure(message.get());
    EXPECT_STREQ(gst_structure_get_string(fields, "reason"), "high");
    guint64 average = 0;
    EXPECT_TRUE(gst_structure_get_uint64(fields, "average", &average));
    EXPECT_GE(average, 500 * GST_MSECOND);
    gst_element_set_bus(element_, nullptr);
}

TEST_F(JkvmIpcSrc, ReportsDialectAndGrantedSocketBuffers)
{
    connect();
    send_frame(30);
    pull();
    const auto stats = testing::stats_of(element_);
    EXPECT_STREQ(gst_structure_get_string(stats.get(), "dialect"), "v1");
    gint buffer = 0;
    EXPECT_TRUE(gst_structure_get_int(stats.get(), "receive-buffer", &buffer));
    EXPECT_GE(buffer, 32768);
}

TEST_F(JkvmIpcSrc, CountsHitsAndMissesOfThePacketPool)
{
    connect();
    EXPECT_EQ(stat(element_, "pool-bound"), 64u);
    for (int i = 0; i < 3; ++i) {
        send_frame(30);
        pull();
    }
    EXPECT_EQ(stat(element_, "pool-hits"), 3u);
    EXPECT_EQ(stat(element_, "pool-misses"), 0u);
    std::vector<std::uint8_t> large(1276, 1); // larger than one Opus frame can be
    large[0] = 0xFC;
    send_all(server_.get(), message_v1("UOKJ", 0, wall_clock_ns(), large));
    pull();
    EXPECT_EQ(stat(element_, "pool-misses"), 1u);
}

TEST_F(JkvmIpcSrc, ReportsStatisticsUnderTheNamesOfJetKvm)
{
    connect();
    send_frame(30);
    const std::vector<std::uint8_t> no_opus{0xFB};
    send_all(server_.get(), message_v1("UOKJ", 0, 0, no_opus));
    send_frame(10);
    ASSERT_TRUE(pull());
    ASSERT_TRUE(pull());
    for (const char *field : {"frames-received", "client_total_frames"})
        EXPECT_EQ(stat(element_, field), 3u) << field;
    for (const char *field : {"frames-dropped", "dropped_frames", "client_dropped_frames"})
        EXPECT_EQ(stat(element_, field), 1u) << field;
    EXPECT_EQ(stat(element_, "processed_frames"), 2u);
    EXPECT_EQ(stat(element_, "bytes-processed"), 9u);
    EXPECT_EQ(stat(element_, "average-latency"), stat(element_, "latency-average"));
    EXPECT_EQ(stat(element_, "latency-samples"), 2u);
    EXPECT_NEAR(static_cast<double>(stat(element_, "last-frame-time")),
                static_cast<double>(wall_clock_ns()), 60e9);
    const auto stats = testing::stats_of(element_);
    gint waiting = 0;
    gst_structure_get_int(stats.get(), "receive-waiting", &waiting);
    EXPECT_GE(waiting, 18);
    EXPECT_LE(waiting, 3 * 21);
    EXPECT_STREQ(gst_structure_get_string(stats.get(), "latency-trend"), "stable");

    EXPECT_EQ(stat(element_, "connection-drops"), 0u);
    server_.reset();
    connect(); // a second time
    send_frame(0);
    ASSERT_TRUE(pull());
    EXPECT_EQ(stat(element_, "connection-drops"), 1u);
}

TEST_F(JkvmIpcSrc, TurnsAwayAClientThatTheApplicationRejects)
{
    listener_.reset();
    ::unlink(path_.c_str());
    gst_util_set_object_arg(G_OBJECT(element_), "mode", "listen");
    int uid = -1;
    const auto refuse = [](GstElement *, gint, guint its_uid, gpointer to) -> gboolean {
        *static_cast<int *>(to) = static_cast<int>(its_uid);
        return FALSE;
    };
    g_signal_connect(
        element_, "client-connecting",
        G_CALLBACK(static_cast<gboolean (*)(GstElement *, gint, guint, gpointer)>(refuse)), &uid);
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(element_, bus.get());
    gst_harness_play(harness_);
    const auto client = testing::connect_to(path_);
    EXPECT_TRUE(testing::is_closed_by_peer(client.get()));
    const auto message = GstRef<GstMessage>::adopt(
        gst_bus_timed_pop_filtered(bus.get(), 20 * GST_SECOND, GST_MESSAGE_ELEMENT));
    gst_element_set_bus(element_, nullptr);
    ASSERT_TRUE(message);
    EXPECT_STREQ(gst_structure_get_string(gst_message_get_structure(message.get()), "reason"),
                 "forbidden");
    EXPECT_EQ(uid, static_cast<int>(::getuid()));
    EXPECT_EQ(stat(element_, "rejects"), 1u);
    EXPECT_EQ(stat(element_, "connects"), 0u);
}

TEST_F(JkvmIpcSrc, SkipsMessagesThatAreNotFrames)
{
    connect();
    const std::vector<std::uint8_t> config(12, 0);
    send_all(server_.get(), message_v1("UOKJ", 1, 0, config));
    send_all(server_.get(), message_v1("UOKJ", 3, 0, {}));
    send_all(server_.get(), message_v1("UOKJ", 200, 0, config));
    send_all(server_.get(), message_v1("UOKJ", 0, wall_clock_ns(), {})); // empty
    send_all(server_.get(),
             message_v1("UOKJ", 0, wall_clock_ns(), std::vector<std::uint8_t>{0xFB})); // no Opus
    send_frame(20);
    EXPECT_EQ(gst_buffer_get_size(pull().get()), packet.size());
    EXPECT_EQ(stat(element_, "frames"), 2u);
    EXPECT_EQ(stat(element_, "dropped"), 1u);
    EXPECT_EQ(stat(element_, "dropped-invalid"), 1u);
}

TEST_F(JkvmIpcSrc, ReconnectsToAServerThatSendsGarbage)
{
    connect();
    send_all(server_.get(), std::vector<std::uint8_t>(100, 0));
    EXPECT_TRUE(testing::is_closed_by_peer(server_.get()));
    server_ = accept_from(listener_.get());
    ASSERT_TRUE(server_);
    send_frame(20);
    pull();
    EXPECT_EQ(stat(element_, "protocol-errors"), 1u);
    EXPECT_EQ(stat(element_, "connects"), 2u);
}

TEST_F(JkvmIpcSrc, MarksBufferAfterReconnectAsDiscontinuity)
{
    connect();
    send_frame(20);
    const auto first = GST_BUFFER_PTS(pull().get());
    server_.reset();
    server_ = accept_from(listener_.get());
    gst_harness_set_time(harness_, 4 * GST_SECOND);
    const auto captured = send_frame(20);
    const auto buffer = pull();
    EXPECT_TRUE(GST_BUFFER_IS_DISCONT(buffer.get()));
    EXPECT_GT(GST_BUFFER_PTS(buffer.get()), first);
    expect_at_capture_time(buffer, 4 * GST_SECOND, 20, captured);
}

TEST_F(JkvmIpcSrc, AttachesTheSendersCaptureTime)
{
    connect();
    const auto captured = wall_clock_ns() - 30'000'000;
    send_all(server_.get(), message_v1("UOKJ", 0, captured, packet));
    const auto buffer = pull();
    const auto *meta = gst_buffer_get_reference_timestamp_meta(buffer.get(), nullptr);
    ASSERT_NE(meta, nullptr);
    EXPECT_EQ(meta->timestamp, static_cast<GstClockTime>(captured));
    EXPECT_TRUE(
        gst_structure_has_name(gst_caps_get_structure(meta->reference, 0), "timestamp/x-unix"));
}

TEST_F(JkvmIpcSrc, SetsCapsFromTheSendersConfig)
{
    connect();
    const std::vector<std::uint8_t> mono{0x80, 0xBB, 0, 0, 1, 0, 0, 0, 0xC0, 3, 0, 0};
    const std::vector<std::uint8_t> invalid(12, 0xFF);
    send_all(server_.get(), message_v1("UOKJ", 1, wall_clock_ns(), mono));
    send_all(server_.get(), message_v1("UOKJ", 1, wall_clock_ns(), invalid));
    send_frame(20);
    pull();
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(element_, "src"));
    const auto caps = GstRef<GstCaps>::adopt(gst_pad_get_current_caps(pad.get()));
    gint channels = 0;
    gst_structure_get_int(gst_caps_get_structure(caps.get(), 0), "channels", &channels);
    EXPECT_EQ(channels, 1);
}

TEST_F(JkvmIpcSrc, AnnouncesMonoCapsForAMicrophoneBeforeTheFirstFrame)
{
    listener_.reset();
    ::unlink(path_.c_str());
    gst_util_set_object_arg(G_OBJECT(element_), "direction", "microphone");
    std::vector<gint> channels; // of each CAPS event
    const auto collect = [](GstPad *, GstPadProbeInfo *info, gpointer to) noexcept {
        auto *event = gst_pad_probe_info_get_event(info);
        if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
            GstCaps *caps = nullptr;
            gst_event_parse_caps(event, &caps);
            gint count = 0;
            gst_structure_get_int(gst_caps_get_structure(caps, 0), "channels", &count);
            static_cast<std::vector<gint> *>(to)->push_back(count);
        }
        return GST_PAD_PROBE_OK;
    };
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(element_, "src"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, collect, &channels, nullptr);
    gst_harness_play(harness_);
    const auto client = testing::connect_to(path_);
    const std::vector<std::uint8_t> mono{0x80, 0xBB, 0, 0, 1, 0, 0, 0, 0xC0, 3, 0, 0};
    pull_gap();
    send_all(client.get(), message_v1("IMKJ", 1, wall_clock_ns(), mono));
    send_all(client.get(), message_v1("IMKJ", 0, wall_clock_ns() - 30'000'000, packet));
    ASSERT_TRUE(pull());
    gst_element_set_state(element_, GST_STATE_READY); // no further events
    EXPECT_EQ(channels, std::vector<gint>{1});
}

TEST_F(JkvmIpcSrc, ContinuesTheStreamAfterAStop)
{
    connect();
    const auto captured = wall_clock_ns() - 200'000'000;
    std::vector<std::uint8_t> stream;
    for (const auto &message :
         {message_v1("UOKJ", 0, captured, packet), message_v1("UOKJ", 2, captured, {}), // Stop
          message_v1("UOKJ", 0, captured + 20'000'000, packet),
          message_v1("UOKJ", 0, captured + 40'000'000, packet)})
        stream.insert(stream.end(), message.begin(), message.end());
    send_all(server_.get(), stream);
    pull();
    EXPECT_TRUE(GST_BUFFER_IS_DISCONT(pull().get()));
    EXPECT_FALSE(GST_BUFFER_IS_DISCONT(pull().get()));
}

TEST_F(JkvmIpcSrc, ReconnectsAfterAPause)
{
    connect();
    send_frame(20);
    pull();
    gst_element_set_state(element_, GST_STATE_PAUSED);
    send_frame(20); // outdated in PLAYING
    gst_element_set_state(element_, GST_STATE_PLAYING);
    EXPECT_TRUE(testing::is_closed_by_peer(server_.get()));
    server_ = accept_from(listener_.get());
    EXPECT_TRUE(server_);
}

TEST(JkvmIpcSrcPipeline, WaitsForItsServerAndStopsWithoutDelay)
{
    testing::TemporaryDirectory directory;
    Pipeline pipeline("jkvmipcsrc socket-path=" + directory.file("a.sock") + " ! fakesink");
    EXPECT_EQ(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_ASYNC);
    pipeline.wait_for_element_message("jkvm-link", "unreachable");
    const auto listener = listen_at(directory.file("a.sock"));
    EXPECT_TRUE(accept_from(listener.get()));
    pipeline.wait_for_element_message("jkvm-link", "connected");
    pipeline.set_state(GST_STATE_NULL);
}

TEST(JkvmIpcSrcPipeline, SendsEosOnDisconnectIfRequested)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    const auto listener = listen_at(path);
    Pipeline pipeline("jkvmipcsrc on-disconnect=eos socket-path=" + path + " ! fakesink");
    pipeline.play();
    accept_from(listener.get()).reset();
    pipeline.wait_for_eos();
}

TEST(JkvmIpcSrcPipeline, PostsErrorOnDisconnectIfRequested)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    const auto listener = listen_at(path);
    Pipeline pipeline("jkvmipcsrc on-disconnect=error socket-path=" + path + " ! fakesink");
    pipeline.play();
    accept_from(listener.get()).reset();
    auto error = pipeline.wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_READ);
    EXPECT_NE(error.text.find(path), std::string::npos) << error.text;

    pipeline.set_state(GST_STATE_NULL);
    pipeline.play();
    const auto server = accept_from(listener.get());
    send_all(server.get(), std::vector<std::uint8_t>(17, 0x20));
    error = pipeline.wait_for_error();
    EXPECT_EQ(error.domain, GST_STREAM_ERROR);
    EXPECT_EQ(error.code, GST_STREAM_ERROR_WRONG_TYPE);
    EXPECT_NE(error.debug.find("wrong magic 20 20 20 20"), std::string::npos) << error.debug;
}

TEST(JkvmIpcSrcPipeline, EndsTheStreamOnAnEosEventFromBeforeTheStart)
{
    testing::TemporaryDirectory directory;
    Pipeline pipeline("jkvmipcsrc name=src socket-path=" + directory.file("a.sock") +
                      " ! fakesink");
    gst_element_send_event(pipeline.element("src"), gst_event_new_eos());
    pipeline.set_state(GST_STATE_READY);
    gst_element_send_event(pipeline.element("src"), gst_event_new_eos());
    pipeline.play();
    pipeline.wait_for_eos();
}

TEST(JkvmIpcSrcPipeline, PostsErrorForAPathThatIsTooLong)
{
    const std::string path(120, 'x');
    Pipeline pipeline("jkvmipcsrc socket-path=" + path + " ! fakesink");
    EXPECT_EQ(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = pipeline.wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_NE(error.text.find(path), std::string::npos) << error.text;
}

TEST(JkvmIpcSrcPipeline, PostsStatisticsAtTheirInterval)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    const auto listener = listen_at(path);
    Pipeline pipeline("jkvmipcsrc stats-interval=1 socket-path=" + path + " ! fakesink");
    pipeline.play();
    const auto server = accept_from(listener.get());
    send_all(server.get(), message_v1("UOKJ", 0, wall_clock_ns(), packet));
    const auto message = pipeline.wait_for_element_message("application/x-jkvm-ipcsrc-stats");
    guint64 frames = 0;
    gst_structure_get_uint64(gst_message_get_structure(message.get()), "frames", &frames);
    EXPECT_EQ(frames, 1u);
}

TEST(JkvmIpcSrcPipeline, LeaksNoDescriptorsWhenRestarted)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    const auto listener = listen_at(path);
    Pipeline pipeline("jkvmipcsrc socket-path=" + path + " ! fakesink");
    pipeline.play();
    accept_from(listener.get());
    pipeline.set_state(GST_STATE_NULL);
    const auto descriptors = testing::open_descriptors();
    for (int i = 0; i < 30; ++i) {
        pipeline.play();
        const auto server = accept_from(listener.get());
        ASSERT_TRUE(server);
        pipeline.set_state(GST_STATE_NULL);
    }
    EXPECT_EQ(testing::open_descriptors(), descriptors);
}

} // namespace
} // namespace jkvm
