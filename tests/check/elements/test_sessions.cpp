// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests what jkvmipcsink and jkvmipcsrc report about their clients' sessions, and what the clients
// learn about their displacement.
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace jkvm {
namespace {

using testing::connect_to;
using testing::message_v1;
using testing::Pipeline;
using testing::send_all;
using testing::wall_clock_ns;

const std::vector<std::uint8_t> packet{0xFC, 1, 2, 3}; // CELT, 20 ms, stereo

class Sessions : public ::testing::Test {
protected:
    /// Returns the next message with this reason, about a client of this process.
    static GstRef<GstMessage> expect_session(Pipeline &pipeline, const char *reason)
    {
        auto message = pipeline.wait_for_element_message("jkvm-session", reason);
        expect_own_process(message, "pid", "uid");
        return message;
    }
    static void expect_own_process(const GstRef<GstMessage> &message, const char *pid_field,
                                   const char *uid_field)
    {
        ASSERT_TRUE(message);
        const auto *fields = gst_message_get_structure(message.get());
        gint pid = 0;
        guint uid = 0;
        EXPECT_TRUE(gst_structure_get_int(fields, pid_field, &pid));
        EXPECT_TRUE(gst_structure_get_uint(fields, uid_field, &uid));
        EXPECT_EQ(pid, ::getpid());
        EXPECT_EQ(uid, ::getuid());
    }
    static guint64 first_frame(const GstRef<GstMessage> &message)
    {
        guint64 time = GST_CLOCK_TIME_NONE;
        EXPECT_TRUE(gst_structure_get_uint64(gst_message_get_structure(message.get()),
                                             "first-frame", &time));
        return time;
    }
    static void talk(const UniqueFd &client)
    {
        send_all(client.get(), message_v1("IMKJ", 0, wall_clock_ns(), packet));
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

/// A listening sink in a pipeline that the test feeds.
class ListenerSessions : public Sessions {
protected:
    ListenerSessions()
        : pipeline_("appsrc name=src format=time ! jkvmipcsink name=sink client-policy=replace "
                    "socket-path=" +
                    path_)
    {
        auto *sink = pipeline_.element("sink");
        g_signal_connect_swapped(sink, "client-added", G_CALLBACK(count), &added_);
        g_signal_connect_swapped(sink, "client-removed", G_CALLBACK(count), &removed_);
        pipeline_.play();
    }
    static void count(std::atomic<int> *counter) { ++*counter; }
    static void wait_until(const std::atomic<int> &counter, int value)
    {
        const auto deadline = std::chrono::steady_clock::now() + testing::wait_timeout;
        while (counter < value && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        EXPECT_EQ(counter, value);
    }
    /// Connects a client that receives the next frame.
    UniqueFd add_client()
    {
        const int added = added_;
        auto client = connect_to(path_);
        wait_until(added_, added + 1);
        return client;
    }
    /// Sends a frame to the clients.
    void push(GstClockTime time)
    {
        auto *buffer = gst_buffer_new_memdup(packet.data(), packet.size());
        GST_BUFFER_PTS(buffer) = time;
        EXPECT_EQ(gst_app_src_push_buffer(GST_APP_SRC(pipeline_.element("src")), buffer),
                  GST_FLOW_OK);
    }
    static void expect_frame(const UniqueFd &client)
    {
        EXPECT_EQ(testing::receive(client.get(), 17 + packet.size()).size(), 17 + packet.size());
    }

    std::atomic<int> added_ = 0;
    std::atomic<int> removed_ = 0;
    Pipeline pipeline_;
};

TEST_F(ListenerSessions, ArePostedWithTheFirstFrameAndTheEnd)
{
    const auto first = add_client();
    push(GST_SECOND);
    EXPECT_EQ(first_frame(expect_session(pipeline_, "started")), GST_SECOND);
    auto second = add_client();
    expect_own_process(expect_session(pipeline_, "replaced"), "by-pid", "by-uid");

    push(2 * GST_SECOND);
    expect_frame(second);
    send_all(second.get(), message_v1("UOKJ", 2, wall_clock_ns(), {})); // Stop
    second.reset();
    expect_session(pipeline_, "stopped");

    auto third = add_client();
    push(3 * GST_SECOND);
    expect_frame(third);
    third.reset();
    expect_session(pipeline_, "lost");
}

TEST_F(ListenerSessions, AreNotPostedForAClientThatLeavesBeforeTheFirstFrame)
{
    add_client().reset();
    wait_until(removed_, 1);
    const auto second = add_client();
    push(0);
    const auto message = pipeline_.wait_for_element_message("jkvm-session");
    ASSERT_TRUE(message);
    const auto *fields = gst_message_get_structure(message.get());
    EXPECT_STREQ(gst_structure_get_string(fields, "reason"), "started");
    guint64 id = 0;
    EXPECT_TRUE(gst_structure_get_uint64(fields, "id", &id));
    EXPECT_EQ(id, 2u);
}

TEST_F(Sessions, ArePostedForTalkers)
{
    Pipeline pipeline("jkvmipcsrc direction=microphone socket-path=" + path_ + " ! fakesink");
    pipeline.play();
    const auto first = connect_to(path_);
    pipeline.wait_for_element_message("jkvm-link", "connected"); // in PLAYING
    talk(first);
    first_frame(expect_session(pipeline, "started"));
    auto second = connect_to(path_);
    expect_own_process(expect_session(pipeline, "replaced"), "by-pid", "by-uid");
    talk(second);
    send_all(second.get(), message_v1("IMKJ", 2, wall_clock_ns(), {})); // Stop
    expect_session(pipeline, "stopped");
    talk(second);
    second.reset();
    expect_session(pipeline, "lost");
}

TEST_F(Sessions, DisplacedTalkerPostsItsLink)
{
    const auto listener = testing::listen_at(path_);
    Pipeline pipeline("appsrc ! jkvmipcsink direction=microphone socket-path=" + path_);
    pipeline.play();
    auto server = testing::accept_from(listener.get());
    pipeline.wait_for_element_message("jkvm-link", "connected");
    const std::vector<std::uint8_t> replaced{2};
    send_all(server.get(), message_v1("IMKJ", 2, wall_clock_ns(), replaced));
    server.reset();
    const auto message = pipeline.wait_for_element_message("jkvm-link", "replaced");
    ASSERT_TRUE(message);
    EXPECT_EQ(gst_structure_get_string(gst_message_get_structure(message.get()), "socket-path"),
              path_);
}

} // namespace
} // namespace jkvm
