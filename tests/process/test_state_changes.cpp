// SPDX-License-Identifier: LGPL-2.1-or-later
// Starts and stops a pipeline repeatedly while peers are connected.
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
    /// Changes the state from NULL to PLAYING and back, many times. `attach` returns a connection
    /// to a peer, and waits for a frame first if its argument is true.
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
    static void send_frames_until_received(int connection, bool is_output, GstElement *source)
    {
        const auto is_received = [&] {
            send_all(connection, frame_of(3, is_output));
            return stat(source, "frames") > 0;
        };
        ASSERT_TRUE(eventually(is_received));
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

TEST_F(StateChanges, LeakNothingInAListeningSink)
{
    // A separate process reconnects whenever it can. It takes longer to start than many state
    // changes.
    Program other(gst_launch("-m jkvmipcsrc socket-path=" + path_ + " ! fakesink"));
    Pipeline pipeline("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                      "jkvmipcsink socket-path=" +
                      path_);
    ASSERT_TRUE(other.wait_for_output("New clock")) << other.output();
    change_states(pipeline, [&](bool with_frame) {
        auto peer = connect_to(path_);
        if (with_frame) {
            EXPECT_NE(capture_time_of_next_frame(peer.get()), 0);
        }
        return peer;
    });
    pipeline.play();
    EXPECT_TRUE(other.wait_for_output("reason=(string)connected")) << other.output();
    other.send(SIGINT);
    EXPECT_EQ(other.wait(), 0) << other.output();
}

TEST_F(StateChanges, LeakNothingInAListeningSource)
{
    Pipeline pipeline("jkvmipcsrc name=ipc direction=microphone socket-path=" + path_ +
                      " ! fakesink");
    auto *source = pipeline.element("ipc");
    change_states(pipeline, [&](bool with_frame) {
        auto peer = connect_to(path_);
        if (with_frame)
            send_frames_until_received(peer.get(), false, source);
        return peer;
    });
}

TEST_F(StateChanges, LeakNothingInAConnectingSource)
{
    const auto listener = listen_at(path_);
    Pipeline pipeline("jkvmipcsrc name=ipc socket-path=" + path_ + " ! fakesink");
    auto *source = pipeline.element("ipc");
    change_states(pipeline, [&](bool with_frame) {
        auto peer = accept_from(listener.get());
        if (with_frame)
            send_frames_until_received(peer.get(), true, source);
        return peer;
    });
}

TEST_F(StateChanges, LeakNothingInAConnectingSink)
{
    const auto listener = listen_at(path_);
    Pipeline pipeline("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                      "jkvmipcsink direction=microphone socket-path=" +
                      path_);
    change_states(pipeline, [&](bool with_frame) {
        auto peer = accept_from(listener.get());
        if (with_frame) {
            EXPECT_EQ(receive(peer.get(), 46).size(), 46u)
                << "expected a Config and a frame header";
        }
        return peer;
    });
}

} // namespace
} // namespace jkvm::testing
