// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmipcsink in a harness and in pipelines: frames, statistics, clients, properties, errors.
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gtest/gtest.h>

#include <poll.h>

#include <filesystem>
#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::connect_to;
using testing::Pipeline;
using testing::receive;
using testing::stat;
using testing::wall_clock_ns;
namespace fs = std::filesystem;

constexpr const char *opus_caps = "audio/x-opus, channel-mapping-family=0, channels=2, rate=48000";

class JkvmIpcSink : public ::testing::Test {
protected:
    explicit JkvmIpcSink(const char *direction = "output")
    {
        element_ = gst_element_factory_make("jkvmipcsink", nullptr);
        gst_util_set_object_arg(G_OBJECT(element_), "direction", direction);
        g_object_set(element_, "socket-path", path_.c_str(), nullptr);
        harness_ = gst_harness_new_with_element(element_, "sink", nullptr);
        gst_object_unref(element_); // the harness holds a reference
        gst_harness_set_src_caps_str(harness_, opus_caps);
    }
    ~JkvmIpcSink() override { gst_harness_teardown(harness_); }

    /// Connects a client and waits until the statistics count it, so that it gets the next frame.
    UniqueFd add_client()
    {
        const auto before = stat(element_, "connects");
        auto fd = connect_to(path_);
        const auto deadline = std::chrono::steady_clock::now() + testing::wait_timeout;
        while (stat(element_, "connects") == before && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        return fd;
    }
    GstFlowReturn push(const std::string &packet, GstClockTime pts)
    {
        auto *buffer =
            packet.empty() ? gst_buffer_new() : gst_buffer_new_memdup(packet.data(), packet.size());
        GST_BUFFER_PTS(buffer) = pts;
        return gst_harness_push(harness_, buffer);
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    GstElement *element_ = nullptr;
    GstHarness *harness_ = nullptr;
};

std::int64_t timestamp_of(const std::vector<std::uint8_t> &message)
{
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i)
        value |= static_cast<std::uint64_t>(message[9 + i]) << (8 * i);
    return static_cast<std::int64_t>(value);
}

TEST_F(JkvmIpcSink, SendsAMessageOfTheProtocol)
{
    const auto client = add_client();
    ASSERT_EQ(push("\xFCopus", 0), GST_FLOW_OK);
    auto bytes = receive(client.get(), 22);
    const std::vector<std::uint8_t> head{0x55, 0x4F, 0x4B, 0x4A, 0x00, 5, 0, 0, 0};
    EXPECT_EQ(std::vector(bytes.begin(), bytes.begin() + 9), head);
    EXPECT_EQ(std::string(bytes.begin() + 17, bytes.end()), "\xFCopus");
}

TEST_F(JkvmIpcSink, SendsTheCaptureTimeNotTheTimeOfSending)
{
    const auto client = add_client();
    gst_harness_set_time(harness_, 1000 * GST_MSECOND);
    const auto before = wall_clock_ns();
    ASSERT_EQ(push("\xFC", 970 * GST_MSECOND), GST_FLOW_OK); // captured 30 ms ago
    const auto after = wall_clock_ns();
    const auto timestamp = timestamp_of(receive(client.get(), 18));
    EXPECT_GE(timestamp, before - 30'000'000);
    EXPECT_LE(timestamp, after - 30'000'000);
}

TEST_F(JkvmIpcSink, AssumesThatABufferWithoutTimestampEndsNow)
{
    const auto client = add_client();
    const auto before = wall_clock_ns();
    ASSERT_EQ(push("\xFC", GST_CLOCK_TIME_NONE), GST_FLOW_OK);
    const auto timestamp = timestamp_of(receive(client.get(), 18));
    EXPECT_GE(timestamp, before - 20'000'000);
    EXPECT_LE(timestamp, wall_clock_ns() - 20'000'000);
}

TEST_F(JkvmIpcSink, NeitherBlocksNorCountsALossWithoutAClient)
{
    for (int i = 0; i < 100; ++i)
        ASSERT_EQ(push("\xFC", static_cast<GstClockTime>(i) * 20 * GST_MSECOND), GST_FLOW_OK);
    EXPECT_EQ(stat(element_, "frames"), 100u);
    EXPECT_EQ(stat(element_, "bytes"), 100u);
    EXPECT_EQ(stat(element_, "dropped"), 0u);
}

TEST_F(JkvmIpcSink, HasStatisticsUnderJetKvmsNames)
{
    auto client = add_client();
    ASSERT_EQ(push("\xFC", 0), GST_FLOW_OK);
    ASSERT_EQ(push("\xFCxy", 20 * GST_MSECOND), GST_FLOW_OK);
    ASSERT_EQ(push("\xFC", 40 * GST_MSECOND), GST_FLOW_OK);
    ASSERT_EQ(push("\xFB", 60 * GST_MSECOND), GST_FLOW_OK); // not a valid Opus packet
    EXPECT_EQ(stat(element_, "frames-received"), 4u);
    EXPECT_EQ(stat(element_, "processed_frames"), 3u);
    EXPECT_EQ(stat(element_, "frames-dropped"), 1u);
    EXPECT_EQ(stat(element_, "dropped_frames"), 1u);
    EXPECT_EQ(stat(element_, "bytes-processed"), 5u);
    EXPECT_NEAR(static_cast<double>(stat(element_, "last-frame-time")),
                static_cast<double>(wall_clock_ns()), 60e9);
    EXPECT_EQ(stat(element_, "average-latency"), stat(element_, "latency-average"));
    EXPECT_GT(stat(element_, "avg_processing_time_ns"), 0u);

    const auto stats = testing::stats_of(element_);
    double percent = 0;
    gst_structure_get_double(stats.get(), "drop_rate_percent", &percent);
    EXPECT_EQ(percent, 25);
    guint capacity = 0;
    gst_structure_get_uint(stats.get(), "channel_buffer_size", &capacity);
    EXPECT_EQ(capacity, 25u); // 500 ms
    gboolean connected = FALSE;
    gst_structure_get_boolean(stats.get(), "connected", &connected);
    EXPECT_TRUE(connected);

    EXPECT_EQ(stat(element_, "connection-drops"), 0u);
    client.reset();
    const auto deadline = std::chrono::steady_clock::now() + testing::wait_timeout;
    while (stat(element_, "connection-drops") == 0 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_EQ(stat(element_, "connection-drops"), 1u);
}

TEST_F(JkvmIpcSink, PostsStatisticsAtTheirInterval)
{
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(element_, bus.get());
    const auto posted = [&] {
        const auto message =
            GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT));
        return message && gst_message_has_name(message.get(), "application/x-jkvm-ipcsink-stats");
    };
    g_object_set(element_, "stats-interval", 0, nullptr);
    ASSERT_EQ(push("\xFC", 0), GST_FLOW_OK);
    EXPECT_FALSE(posted());
    g_object_set(element_, "stats-interval", 3600000, nullptr);
    ASSERT_EQ(push("\xFC", 20 * GST_MSECOND), GST_FLOW_OK);
    EXPECT_TRUE(posted());
    ASSERT_EQ(push("\xFC", 40 * GST_MSECOND), GST_FLOW_OK);
    EXPECT_FALSE(posted());
    gst_element_set_bus(element_, nullptr);
}

TEST_F(JkvmIpcSink, DoesNotSendStreamHeaders)
{
    const auto client = add_client();
    auto *header = gst_buffer_new_memdup("OpusHead", 8);
    GST_BUFFER_FLAG_SET(header, GST_BUFFER_FLAG_HEADER);
    ASSERT_EQ(gst_harness_push(harness_, header), GST_FLOW_OK);
    ASSERT_EQ(push("\xFC", 0), GST_FLOW_OK);
    EXPECT_EQ(receive(client.get(), 18)[17], 0xFC);
    EXPECT_EQ(stat(element_, "frames"), 1u);
}

TEST_F(JkvmIpcSink, CountsAndDropsABufferThatIsTooLarge)
{
    const auto client = add_client();
    ASSERT_EQ(push(std::string(4097, '\xFC'), 0), GST_FLOW_OK);
    ASSERT_EQ(push(std::string(4096, '\xFC'), 0), GST_FLOW_OK);
    EXPECT_EQ(stat(element_, "dropped-too-large"), 1u);
    EXPECT_EQ(receive(client.get(), 17 + 4096).size(), 17u + 4096u);
}

TEST_F(JkvmIpcSink, CountsAndDropsABufferThatIsNotAnOpusPacket)
{
    const auto client = add_client();
    ASSERT_EQ(push("", 0), GST_FLOW_OK);
    ASSERT_EQ(push("\xFB", 0), GST_FLOW_OK); // code 3 without its frame count byte
    ASSERT_EQ(push("\xFC", 0), GST_FLOW_OK);
    EXPECT_EQ(stat(element_, "dropped-invalid"), 2u);
    EXPECT_EQ(stat(element_, "frames"), 1u);
    EXPECT_EQ(receive(client.get(), 18)[17], 0xFC);
}

TEST(JkvmIpcSinkPipeline, ServesAStreamWithoutTimestamps)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    // A segment in bytes, as file and application sources produce by default.
    Pipeline pipeline("appsrc name=src format=bytes ! " + std::string(opus_caps) +
                      " ! jkvmipcsink name=sink socket-path=" + path);
    pipeline.play();
    const auto client = connect_to(path);
    pipeline.wait_for_element_message("jkvm-client", "added");
    GstFlowReturn flow = GST_FLOW_OK;
    auto *buffer = gst_buffer_new_memdup("\xFC", 1);
    g_signal_emit_by_name(pipeline.element("src"), "push-buffer", buffer, &flow);
    gst_buffer_unref(buffer);
    EXPECT_EQ(flow, GST_FLOW_OK);
    EXPECT_EQ(receive(client.get(), 18).size(), 18u);
}

TEST_F(JkvmIpcSink, ListsEachClientInTheStatistics)
{
    const auto client = add_client();
    push("\xFC\x01", 0);
    const auto stats = testing::stats_of(element_);
    EXPECT_STREQ(gst_structure_get_name(stats.get()), "application/x-jkvm-ipcsink-stats");
    const GValue *clients = gst_structure_get_value(stats.get(), "clients");
    ASSERT_EQ(gst_value_array_get_size(clients), 1u);
    const auto *entry = gst_value_get_structure(gst_value_array_get_value(clients, 0));
    gint pid = 0;
    guint64 frames = 0;
    guint64 bytes = 0;
    ASSERT_TRUE(gst_structure_get(entry, "pid", G_TYPE_INT, &pid, "frames", G_TYPE_UINT64, &frames,
                                  "bytes", G_TYPE_UINT64, &bytes, nullptr));
    EXPECT_EQ(pid, ::getpid());
    EXPECT_EQ(frames, 1u);
    EXPECT_EQ(bytes, 19u);
}

TEST_F(JkvmIpcSink, SendsCodedSilenceWhileMuted)
{
    const auto client = add_client();
    const auto next_packet = [&](std::size_t size) {
        const auto message = receive(client.get(), 17 + size);
        return std::string(message.begin() + std::min<std::ptrdiff_t>(17, std::ssize(message)),
                           message.end());
    };
    push("\xFC\x01\x02\x03", 0);
    g_object_set(element_, "mute", TRUE, nullptr);
    push("\xFC\x04\x05\x06", 20 * GST_MSECOND);
    g_object_set(element_, "mute", FALSE, nullptr);
    push("\xFC\x07\x08\x09", 40 * GST_MSECOND);
    EXPECT_EQ(next_packet(4), "\xFC\x01\x02\x03");
    EXPECT_EQ(next_packet(3), "\xFC\xFF\xFE");
    EXPECT_EQ(next_packet(4), "\xFC\x07\x08\x09");
    EXPECT_EQ(stat(element_, "muted"), 1u);
    EXPECT_EQ(stat(element_, "frames"), 3u);
}

/// A sink on the microphone path, and a server that reads every byte that it sends.
class JkvmIpcSinkMicrophone : public JkvmIpcSink {
protected:
    JkvmIpcSinkMicrophone()
        : JkvmIpcSink("microphone"), listener_(testing::listen_at(path_)),
          server_(testing::accept_from(listener_.get()))
    {}
    /// Expects a frame as the next message.
    void expect_frame(const std::string &packet)
    {
        const auto bytes = receive(server_.get(), 17 + packet.size());
        ASSERT_EQ(bytes.size(), 17 + packet.size());
        EXPECT_EQ(bytes[4], 0) << "type of the message";
        EXPECT_EQ(std::string(bytes.begin() + 17, bytes.end()), packet);
    }

    UniqueFd listener_;
    UniqueFd server_;
};

TEST_F(JkvmIpcSinkMicrophone, SendsNothingForAPauseAndStopWhenItDisconnects)
{
    const auto config = receive(server_.get(), 17 + 12);
    ASSERT_EQ(config.size(), 17u + 12u);
    EXPECT_EQ(config[4], 1);
    push("\xFC"
         "first",
         0);
    expect_frame("\xFC"
                 "first");
    // A gap, DTX, a paused pipeline and a flush.
    ASSERT_TRUE(gst_harness_push_event(harness_, gst_event_new_gap(20 * GST_MSECOND, GST_SECOND)));
    push("\xFC", 2 * GST_SECOND);
    expect_frame("\xFC");
    gst_element_set_state(element_, GST_STATE_PAUSED);
    gst_element_set_state(element_, GST_STATE_PLAYING);
    gst_harness_push_event(harness_, gst_event_new_flush_start());
    gst_harness_push_event(harness_, gst_event_new_flush_stop(FALSE));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(harness_, gst_event_new_segment(&segment));
    push("\xFC"
         "second",
         3 * GST_SECOND);
    expect_frame("\xFC"
                 "second");
    // The connection outlives the stream: another one may follow.
    gst_harness_push_event(harness_, gst_event_new_eos());
    EXPECT_EQ(stat(element_, "connects"), 1u);
    pollfd entry{server_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 0), 0) << "something was sent at the end of the stream";

    gst_element_set_state(element_, GST_STATE_NULL);
    const auto stop = receive(server_.get(), 18);
    ASSERT_EQ(stop.size(), 17u) << "a Stop, and the end of the connection";
    EXPECT_EQ(stop[4], 2);
}

TEST(JkvmIpcSinkPipeline, ReachesPlayingWithoutDataAndWithoutAClient)
{
    testing::TemporaryDirectory directory;
    Pipeline pipeline("appsrc ! jkvmipcsink socket-path=" + directory.file("a.sock"));
    EXPECT_EQ(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
}

TEST(JkvmIpcSinkPipeline, PostsMessagesForClientsThatConnectAndLeave)
{
    testing::TemporaryDirectory directory;
    Pipeline pipeline("appsrc ! jkvmipcsink name=s socket-path=" + directory.file("a.sock"));
    pipeline.play();
    auto client = connect_to(directory.file("a.sock"));
    const auto added = pipeline.wait_for_element_message("jkvm-client", "added");
    gint pid = 0;
    gst_structure_get_int(gst_message_get_structure(added.get()), "pid", &pid);
    EXPECT_EQ(pid, ::getpid());
    testing::send_all(client.get(), std::vector<std::uint8_t>(17, 'x'));
    const auto removed = pipeline.wait_for_element_message("jkvm-client", "violation");
    EXPECT_STREQ(gst_structure_get_string(gst_message_get_structure(removed.get()), "detail"),
                 "wrong magic 78 78 78 78");
    EXPECT_EQ(stat(pipeline.element("s"), "protocol-errors"), 1u);
}

TEST(JkvmIpcSinkPipeline, PostsAnErrorForThePathOfALiveServer)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    Pipeline first("appsrc ! jkvmipcsink socket-path=" + path);
    ASSERT_NE(first.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    Pipeline second("appsrc ! jkvmipcsink socket-path=" + path);
    EXPECT_EQ(second.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = second.wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_BUSY);
    EXPECT_NE(error.text.find(path), std::string::npos) << error.text;
    EXPECT_TRUE(connect_to(path)) << "the first sink must keep serving";
}

TEST(JkvmIpcSinkPipeline, PostsAnErrorForAPathThatCannotBeBound)
{
    testing::TemporaryDirectory directory;
    fs::create_directory(directory.file("dir"));
    for (const auto &path : {directory.file("missing/a.sock"), directory.file("dir"),
                             directory.file(std::string(150, 'x'))}) {
        Pipeline pipeline("appsrc ! jkvmipcsink socket-path=" + path);
        EXPECT_EQ(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
        const auto error = pipeline.wait_for_error();
        EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
        EXPECT_EQ(error.code, GST_RESOURCE_ERROR_OPEN_READ_WRITE);
        EXPECT_NE(error.text.find(path), std::string::npos) << error.text;
    }
}

gboolean refuse(GstElement *, gint, guint, gpointer)
{
    return FALSE;
}

TEST(JkvmIpcSinkPipeline, LetsTheApplicationRefuseAClient)
{
    testing::TemporaryDirectory directory;
    Pipeline pipeline("appsrc ! jkvmipcsink name=s socket-path=" + directory.file("a.sock"));
    g_signal_connect(pipeline.element("s"), "client-connecting", G_CALLBACK(refuse), nullptr);
    pipeline.play();
    const auto client = connect_to(directory.file("a.sock"));
    pipeline.wait_for_element_message("jkvm-client", "forbidden");
    EXPECT_TRUE(testing::is_closed_by_peer(client.get()));
    EXPECT_EQ(stat(pipeline.element("s"), "rejects"), 1u);
}

TEST(JkvmIpcSinkPipeline, PostsAnErrorForAnUnknownGroup)
{
    testing::TemporaryDirectory directory;
    Pipeline pipeline("appsrc ! jkvmipcsink socket-group=no-such-group socket-path=" +
                      directory.file("a.sock"));
    EXPECT_EQ(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = pipeline.wait_for_error();
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_OPEN_READ_WRITE);
    EXPECT_NE(error.debug.find("no-such-group"), std::string::npos) << error.debug;
    EXPECT_TRUE(fs::is_empty(directory.path()));
}

TEST(JkvmIpcSinkPipeline, AppliesPropertiesToTheSocket)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    Pipeline pipeline("appsrc ! jkvmipcsink name=s socket-mode=438 allowed-uids=<65534> "
                      "client-policy=replace socket-buffer-size=65536 socket-path=" +
                      path);
    pipeline.play();
    EXPECT_EQ(fs::status(path).permissions(), static_cast<fs::perms>(0666));
    const auto first = connect_to(path); // this process's user is always allowed
    pipeline.wait_for_element_message("jkvm-client", "added");
    const auto second = connect_to(path);
    EXPECT_TRUE(testing::is_closed_by_peer(first.get())) << "only the newest client is served";
    const auto removed = pipeline.wait_for_element_message("jkvm-client", "replaced");
    EXPECT_TRUE(removed);
}

TEST(JkvmIpcSinkPipeline, TakesTheDefaultPathFromTheEnvironment)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    g_setenv("JETKVM_AUDIO_OUTPUT_SOCKET", path.c_str(), TRUE);
    Pipeline pipeline("appsrc ! jkvmipcsink");
    pipeline.play();
    g_unsetenv("JETKVM_AUDIO_OUTPUT_SOCKET");
    EXPECT_TRUE(connect_to(path));
}

TEST(JkvmIpcSinkPipeline, LeaksNothingOverStartAndStop)
{
    testing::TemporaryDirectory directory;
    Pipeline pipeline("appsrc ! jkvmipcsink socket-path=" + directory.file("a.sock"));
    pipeline.play();
    pipeline.set_state(GST_STATE_NULL);
    const auto descriptors = testing::open_descriptors();
    for (int i = 0; i < 50; ++i) {
        ASSERT_NE(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
        const auto client = connect_to(directory.file("a.sock"));
        pipeline.set_state(GST_STATE_NULL);
        ASSERT_TRUE(fs::is_empty(directory.path()));
    }
    EXPECT_EQ(testing::open_descriptors(), descriptors);
}

} // namespace
} // namespace jkvm
