// SPDX-License-Identifier: LGPL-2.1-or-later
// Kills workers at random moments, also during state changes of the pipeline.
#include "support/gst_test.h"
#include "support/raw_socket.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <csignal>
#include <random>

namespace jkvm {
namespace {

using testing::Pipeline;

constexpr int kills = 200;

class SupervisedKills : public ::testing::Test {
protected:
    SupervisedKills() { pipeline_.play(); }

    bool pull()
    {
        const auto timeout =
            static_cast<GstClockTime>(std::chrono::nanoseconds(testing::wait_timeout).count());
        auto *sink = GST_APP_SINK(sink_);
        return static_cast<bool>(
            GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, timeout)));
    }
    /// Returns the pid of the next worker that was started, or 0. Only the test kills workers.
    pid_t next_worker()
    {
        const auto message = pipeline_.wait_for_element_message("jkvm-child", "started");
        gint pid = 0;
        if (message)
            gst_structure_get_int(gst_message_get_structure(message.get()), "pid", &pid);
        return pid;
    }
    /// Discards messages about earlier workers.
    void restart()
    {
        pipeline_.set_state(GST_STATE_READY);
        const auto bus = GstRef<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
        while (GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT))) {
        }
        pipeline_.play();
    }

    Pipeline pipeline_{"jkvmsupervisedsrc name=s max-restarts=1000 restart-delay=0 "
                       "max-restart-delay=0 launch=\"audiotestsrc is-live=true "
                       "samplesperbuffer=960 ! opusenc\" ! appsink name=sink sync=false "
                       "max-buffers=1 drop=true"};
    GstElement *sink_ = pipeline_.element("sink");
    std::mt19937 random_{1};
};

TEST_F(SupervisedKills, PipelineSurvivesKillsAtRandomMoments)
{
    ASSERT_TRUE(pull());
    const auto before = testing::open_descriptors();
    for (int i = 0; i < kills; ++i) {
        const auto worker = next_worker();
        ASSERT_GT(worker, 0);
        // Any moment between before main() and a few frames of audio.
        if (random_() % 4 == 0) {
            for (auto frames = 1 + random_() % 5; frames > 0; --frames)
                ASSERT_TRUE(pull());
        } else {
            g_usleep(random_() % 30000);
        }
        ::kill(worker, SIGKILL);
        switch (random_() % 10) {
        case 0:
            restart();
            break;
        case 1:
            pipeline_.set_state(GST_STATE_PAUSED);
            pipeline_.play();
            break;
        default:
            break;
        }
    }
    ASSERT_TRUE(pull());
    EXPECT_EQ(testing::open_descriptors(), before);
    const auto worker = next_worker();
    EXPECT_EQ(::kill(worker, 0), 0);
    pipeline_.set_state(GST_STATE_NULL);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child process is left";
}

} // namespace
} // namespace jkvm
