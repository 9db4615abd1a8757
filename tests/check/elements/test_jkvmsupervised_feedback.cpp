// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests what the two pipelines of a supervised element tell each other: the demand for audio, and
// whether the sink follows stretched timestamps.
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include "core/base/time.h"

#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <string>
#include <string_view>

namespace jkvm {
namespace {

using testing::Pipeline;
using testing::stat;

class SupervisedFeedback : public ::testing::Test {
protected:
    template <typename Condition>
    void wait_until(Condition condition, const char *what)
    {
        const auto deadline = monotonic_now() + testing::wait_timeout;
        while (!condition()) {
            ASSERT_LT(monotonic_now(), deadline) << what;
            g_usleep(1000);
        }
    }
    /// Kills the worker and waits for the next one.
    void kill_worker()
    {
        gint pid = 0;
        gst_structure_get_int(testing::stats_of(pipeline_->element("s")).get(), "pid", &pid);
        ::kill(pid, SIGKILL);
        pipeline_->wait_for_element_message("jkvm-child", "killed");
        pipeline_->wait_for_element_message("jkvm-child", "started");
    }
    std::optional<Pipeline> pipeline_;
    testing::TemporaryDirectory directory_;
};

class SupervisedDemand : public SupervisedFeedback {
protected:
    void play(const std::string &path)
    {
        pipeline_.emplace("jkvmsupervisedsrc name=s restart-delay=0 launch=\"jkvmaudiosrc name=a "
                          "device=jkvm_no_such_device\" ! " +
                          path);
        pipeline_->play();
    }
    void connect() { client_.emplace("jkvmipcsrc socket-path=" + path_ + " ! fakesink"); }
    /// Of the source in the worker.
    std::string activity()
    {
        GstStructure *stats = nullptr;
        gst_child_proxy_get(GST_CHILD_PROXY(pipeline_->element("s")), "a::stats", &stats, nullptr);
        const char *text = gst_structure_get_string(stats, "activity");
        std::string copy = text != nullptr ? text : "";
        gst_structure_free(stats);
        return copy;
    }
    void wait_for_activity(const char *nick)
    {
        wait_until([&] { return activity() == nick; }, nick);
    }

    /// Waits for the heartbeats of about two seconds, in which the worker reports its statistics.
    void wait_for_heartbeats()
    {
        const auto heartbeats = [this] { return stat(pipeline_->element("s"), "heartbeats"); };
        wait_until([&, before = heartbeats()] { return heartbeats() > before + 20; }, "heartbeats");
    }

    std::string path_ = directory_.file("a.sock");
    std::string sink_ = "jkvmipcsink name=sink socket-path=" + path_;
    std::optional<Pipeline> client_;
};

TEST_F(SupervisedDemand, ReachesTheSourceInEachWorker)
{
    play(sink_);
    wait_for_activity("idle");
    connect();
    client_->play();
    wait_for_activity("encode");
    client_.reset();
    wait_for_activity("idle");
    kill_worker();
    wait_for_heartbeats();
    wait_for_activity("idle");
    EXPECT_EQ(stat(pipeline_->element("s"), "hangs"), 0u);
}

TEST_F(SupervisedDemand, IsForgottenWhenTheElementStops)
{
    play(sink_);
    wait_for_activity("idle");
    pipeline_->set_state(GST_STATE_NULL);
    gst_element_unlink(pipeline_->element("s"), pipeline_->element("sink"));
    auto *recording = gst_element_factory_make("fakesink", "recording");
    gst_bin_add(GST_BIN(pipeline_->get()), recording);
    gst_bin_remove(GST_BIN(pipeline_->get()), pipeline_->element("sink"));
    ASSERT_TRUE(gst_element_link(pipeline_->element("s"), recording));
    pipeline_->play();
    wait_for_heartbeats();
    wait_for_activity("encode");
}

TEST_F(SupervisedDemand, EndsWithTheBranchThatRecords)
{
    play("tee name=t ! queue ! " + sink_ + " t. ! queue name=recording ! fakesink sync=false");
    wait_for_heartbeats();
    wait_for_activity("encode");
    const auto pad =
        GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline_->element("recording"), "sink"));
    const auto tee = GstRef<GstPad>::adopt(gst_pad_get_peer(pad.get()));
    gst_element_release_request_pad(pipeline_->element("t"), tee.get());
    wait_for_activity("idle");
}

TEST_F(SupervisedDemand, ExistsWhileABranchRecords)
{
    play("tee name=t ! queue ! " + sink_ + " t. ! queue ! fakesink sync=false name=recording");
    wait_for_heartbeats();
    EXPECT_EQ(activity(), "encode");
}

class SupervisedSlew : public SupervisedFeedback {
protected:
    void wait_for_adapt(const char *nick)
    {
        auto *queue = pipeline_->element("q");
        wait_until(
            [&] {
                const auto stats = testing::stats_of(queue);
                const char *adapt = gst_structure_get_string(stats.get(), "adapt-in-use");
                return adapt != nullptr && std::string_view(adapt) == nick;
            },
            nick);
    }
};

TEST_F(SupervisedSlew, IsUsedWhileTheSinkInTheWorkerFollows)
{
    pipeline_.emplace("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                      "jkvmadaptivequeue name=q ! jkvmsupervisedsink name=s restart-delay=0 "
                      "launch=\"opusdec ! jkvmaudiosink name=k device=jkvm_no_such_device\"");
    pipeline_->play();
    wait_for_adapt("slew");
    kill_worker();
    wait_for_adapt("slew");
    g_object_set(pipeline_->element("s"), "launch", "opusdec ! fakesink sync=true", nullptr);
    wait_for_adapt("frames");
}

} // namespace
} // namespace jkvm
