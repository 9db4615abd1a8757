// SPDX-License-Identifier: LGPL-2.1-or-later
// An application starts and stops its pipeline again and again while others are connected.
#include "element_process.h"
#include "fault_counts.h"
#include "support/footprint.h"
#include "support/gst_test.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace jkvm::testing {
namespace {

class StateChanges : public ::testing::Test {
protected:
    /// From NULL to PLAYING and back, many times. `attach` connects a peer and waits for sound if
    /// it is told to; it returns the connection.
    template <typename Attach>
    void change_states(Pipeline &pipeline, Attach attach)
    {
        std::size_t descriptors = 0;
        long memory = 0;
        for (int i = 0; i < state_changes; ++i) {
            if (i == state_changes / 5) {
                descriptors = open_descriptors();
                memory = memory_of(::getpid());
            }
            pipeline.play();
            const UniqueFd peer = attach(i % 2 == 0);
            ASSERT_TRUE(peer) << i;
            pipeline.set_state(GST_STATE_NULL);
            ASSERT_TRUE(is_closed_by_peer(peer.get())) << i;
            ASSERT_FALSE(has_error(pipeline)) << i;
        }
        EXPECT_EQ(open_descriptors(), descriptors);
        EXPECT_LE(memory_of(::getpid()), memory + memory_tolerance);
    }
    static bool has_error(Pipeline &pipeline)
    {
        const auto bus = GstRef<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
        return static_cast<bool>(
            GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR)));
    }
    static void send_frames_until_heard(int connection, bool is_output, GstElement *source)
    {
        const auto is_heard = [&] {
            send_all(connection, frame_of(3, is_output));
            return stat(source, "frames") > 0;
        };
        ASSERT_TRUE(eventually(is_heard));
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

TEST_F(StateChanges, OfAListeningSinkWithClients)
{
    // A real one too, which comes back whenever it can. Its start takes longer than many changes.
    Program other(gst_launch("-m jkvmipcsrc socket-path=" + path_ + " ! fakesink"));
    Pipeline pipeline("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                      "jkvmipcsink socket-path=" +
                      path_);
    ASSERT_TRUE(other.wait_for_output("New clock")) << other.output();
    change_states(pipeline, [&](bool is_with_sound) {
        auto peer = connect_to(path_);
        if (is_with_sound) {
            EXPECT_NE(capture_time_of_next_frame(peer.get()), 0);
        }
        return peer;
    });
    pipeline.play();
    EXPECT_TRUE(other.wait_for_output("reason=(string)connected")) << other.output();
    other.send(SIGINT);
    EXPECT_EQ(other.wait(), 0) << other.output();
}

TEST_F(StateChanges, OfAListeningSourceWithAClient)
{
    Pipeline pipeline("jkvmipcsrc name=ipc direction=microphone socket-path=" + path_ +
                      " ! fakesink");
    auto *source = pipeline.element("ipc");
    change_states(pipeline, [&](bool is_with_sound) {
        auto peer = connect_to(path_);
        if (is_with_sound)
            send_frames_until_heard(peer.get(), false, source);
        return peer;
    });
}

TEST_F(StateChanges, OfAConnectingSourceWithAServer)
{
    const auto listener = listen_at(path_);
    Pipeline pipeline("jkvmipcsrc name=ipc socket-path=" + path_ + " ! fakesink");
    auto *source = pipeline.element("ipc");
    change_states(pipeline, [&](bool is_with_sound) {
        auto peer = accept_from(listener.get());
        if (is_with_sound)
            send_frames_until_heard(peer.get(), true, source);
        return peer;
    });
}

TEST_F(StateChanges, OfAConnectingSinkWithAServer)
{
    const auto listener = listen_at(path_);
    Pipeline pipeline("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                      "jkvmipcsink direction=microphone socket-path=" +
                      path_);
    change_states(pipeline, [&](bool is_with_sound) {
        auto peer = accept_from(listener.get());
        if (is_with_sound) {
            EXPECT_EQ(receive(peer.get(), 46).size(), 46u) << "a Config, and a frame's header";
        }
        return peer;
    });
}

} // namespace
} // namespace jkvm::testing
