// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks that jkvmipcsink and jkvmipcsrc do not allocate memory for a frame.
#include "capture/allocations.h"
#include "capture/watching_pad.h"
#include "common/opus_caps.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::WatchingPad;

constexpr std::chrono::nanoseconds frame_duration = 20ms;

constexpr std::size_t packet_size = 240;
constexpr std::size_t message_size = 17 + packet_size;

std::vector<std::uint8_t> opus_packet()
{
    std::vector<std::uint8_t> packet(packet_size, 0x55);
    packet[0] = 0xFC; // one frame of 20 ms, CELT, stereo
    return packet;
}

GstRef<GstElement> make(const char *factory, const std::string &path)
{
    auto *element = gst_element_factory_make(factory, nullptr);
    gst_object_ref_sink(element);
    g_object_set(element, "socket-path", path.c_str(), nullptr);
    return GstRef<GstElement>::adopt(element);
}

TEST(IpcAllocations, NoneForASentFrame)
{
    const testing::TemporaryDirectory directory;
    const auto path = directory.file("s");
    const auto sink = make("jkvmipcsink", path);
    gst_element_set_state(sink.get(), GST_STATE_PLAYING);
    const auto client = testing::connect_to(path);
    ASSERT_TRUE(client);

    // This thread acts as the streaming thread.
    const auto pad =
        GstRef<GstPad>::adopt(GST_PAD(gst_object_ref_sink(gst_pad_new("src", GST_PAD_SRC))));
    gst_pad_set_active(pad.get(), TRUE);
    const auto its_pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(sink.get(), "sink"));
    ASSERT_EQ(gst_pad_link(pad.get(), its_pad.get()), GST_PAD_LINK_OK);
    gst_pad_push_event(pad.get(), gst_event_new_stream_start("test"));
    const auto caps = make_opus_caps({.rate = 48000, .channels = 2}, "test");
    gst_pad_push_event(pad.get(), gst_event_new_caps(caps.get()));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad.get(), gst_event_new_segment(&segment));
    const auto packet = opus_packet();
    const auto push = [&](bool is_watched) {
        auto *buffer = gst_buffer_new_memdup(packet.data(), packet.size());
        GST_BUFFER_PTS(buffer) = 0;
        const auto kept = GstRef<GstBuffer>::share(buffer); // freed outside of the watched section
        if (is_watched)
            testing::watch_allocations();
        gst_pad_push(pad.get(), buffer);
        for (const auto &where : testing::stop_watching_allocations())
            ADD_FAILURE() << where;
    };
    while (testing::stat(sink.get(), "connects") == 0)
        std::this_thread::yield();
    for (int i = 0; i < WatchingPad::settling + WatchingPad::watched && !HasFailure(); ++i) {
        push(i >= WatchingPad::settling);
        EXPECT_EQ(testing::receive(client.get(), message_size).size(), message_size);
    }
    gst_element_set_state(sink.get(), GST_STATE_NULL);
}

TEST(IpcAllocations, NoneForAReceivedFrame)
{
    const testing::TemporaryDirectory directory;
    const auto path = directory.file("s");
    auto listener = testing::listen_at(path);
    const auto src = make("jkvmipcsrc", path);
    WatchingPad pad(src.get());
    // The base time is in the past, so that frames captured some seconds ago have a running time.
    const auto clock = GstRef<GstClock>::adopt(gst_system_clock_obtain());
    gst_element_set_clock(src.get(), clock.get());
    gst_element_set_base_time(src.get(), gst_clock_get_time(clock.get()) - 20 * GST_SECOND);
    gst_element_set_state(src.get(), GST_STATE_PLAYING);
    const auto server = testing::accept_from(listener.get());
    ASSERT_TRUE(server);

    constexpr int frames = WatchingPad::settling + WatchingPad::watched;
    const auto begin = testing::wall_clock_ns() - (frames + 1) * frame_duration.count();
    const auto packet = opus_packet();
    for (int i = 0; i < frames; ++i)
        testing::send_all(server.get(), testing::message_v1(
                                            "UOKJ", 0, begin + i * frame_duration.count(), packet));
    pad.expect_nothing();
    gst_element_set_state(src.get(), GST_STATE_NULL);
}

} // namespace
} // namespace jkvm
