// SPDX-License-Identifier: LGPL-2.1-or-later
// The property priority of jkvmipcsrc and jkvmadaptivequeue, and its outcome in their statistics.
#include "support/gst_test.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <future>
#include <utility>

namespace jkvm {
namespace {

class StreamPriorityTest : public ::testing::Test {
protected:
    struct Scheduling {
        int policy = -1;
        int nice = 0;
        int default_nice = getpriority(PRIO_PROCESS, 0);
        std::string reported;

        [[nodiscard]] const char *expected() const
        {
            return policy == SCHED_FIFO ? "fifo" : nice < default_nice ? "nice" : "normal";
        }
    };

    /// Returns the scheduling of the thread that pushes the first buffer, and what the element
    /// reports about it.
    Scheduling observe(testing::Pipeline &pipeline, const char *name)
    {
        struct Observed {
            std::promise<Scheduling> promise;
            GstElement *element;
            bool is_done = false;
        } observed{{}, pipeline.element(name)};
        const auto probe = +[](GstPad *, GstPadProbeInfo *, gpointer data) {
            auto &to = *static_cast<Observed *>(data);
            if (!std::exchange(to.is_done, true)) {
                Scheduling scheduling;
                scheduling.policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
                scheduling.nice = getpriority(PRIO_PROCESS, 0);
                scheduling.reported = text_of(to.element);
                to.promise.set_value(scheduling);
            }
            return GST_PAD_PROBE_OK;
        };
        auto *pad = gst_element_get_static_pad(observed.element, "src");
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, probe, &observed, nullptr);
        gst_object_unref(pad);
        auto result = observed.promise.get_future();
        pipeline.play();
        auto scheduling = result.get();
        pipeline.set_state(GST_STATE_NULL);
        EXPECT_EQ(text_of(observed.element), "normal");
        return scheduling;
    }
    static std::string text_of(GstElement *element)
    {
        GstStructure *stats = nullptr;
        g_object_get(element, "stats", &stats, nullptr);
        const auto *text = gst_structure_get_string(stats, "scheduling");
        std::string copy = text != nullptr ? text : "";
        gst_structure_free(stats);
        return copy;
    }
    static bool may_use_fifo(int priority)
    {
        rlimit limit{};
        getrlimit(RLIMIT_RTPRIO, &limit);
        return limit.rlim_cur >= static_cast<rlim_t>(priority);
    }
    static void check(const Scheduling &scheduling, int priority)
    {
        EXPECT_EQ(scheduling.reported, scheduling.expected());
        if (priority == 0) {
            EXPECT_EQ(scheduling.reported, "normal");
        } else if (may_use_fifo(priority)) {
            EXPECT_EQ(scheduling.reported, "fifo");
        }
    }
};

TEST_F(StreamPriorityTest, IsWhatTheQueueReports)
{
    for (const int priority : {0, 7}) {
        testing::Pipeline pipeline(
            "audiotestsrc is-live=true ! opusenc ! jkvmadaptivequeue name=queue priority=" +
            std::to_string(priority) + " ! fakesink");
        check(observe(pipeline, "queue"), priority);
    }
}

TEST_F(StreamPriorityTest, IsWhatTheIpcSourceReports)
{
    const testing::TemporaryDirectory directory;
    for (const int priority : {0, 7}) {
        const auto path = directory.file("s" + std::to_string(priority));
        testing::Pipeline sender("audiotestsrc is-live=true ! opusenc ! jkvmipcsink socket-path=" +
                                 path);
        sender.play();
        testing::Pipeline pipeline("jkvmipcsrc name=src socket-path=" + path +
                                   " priority=" + std::to_string(priority) + " ! fakesink");
        check(observe(pipeline, "src"), priority);
    }
}

} // namespace
} // namespace jkvm
