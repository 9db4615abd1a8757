// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests what jkvmadaptivequeue reports about the machine and about its latency.
#include "check/elements/adaptive_queue_harness.h"

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::frame;

class JkvmAdaptiveQueueReports : public ::testing::Test {
protected:
    testing::AdaptiveQueueHarness queue_;
};

TEST_F(JkvmAdaptiveQueueReports, ReportsTheLoadOfTheMachineWithEveryPolicy)
{
    for (const char *policy : {"tail-cost", "weighted", "fixed"}) {
        gst_util_set_object_arg(G_OBJECT(queue_.element()), "policy", policy);
        gst_element_set_state(queue_.element(), GST_STATE_READY);
        queue_.play();
        gdouble memory = 0;
        // The processor's counters advance with each tick.
        for (const auto end = monotonic_now() + 60s; memory == 0 && monotonic_now() < end;)
            gst_structure_get_double(testing::stats_of(queue_.element()).get(),
                                     "system_memory_percent", &memory);
        EXPECT_GT(memory, 0) << policy;
        EXPECT_LT(memory, 100) << policy;
    }
}

TEST_F(JkvmAdaptiveQueueReports, LoadOfTheMachineReachesTheWeightedPolicy)
{
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "policy", "weighted");
    queue_.set("stats-interval", 0);
    queue_.play();
    // Until the processor's counters have advanced, and for several steps of the policy.
    const auto end = monotonic_now() + 200ms;
    for (auto now = nanoseconds(1s); now < 3s || monotonic_now() < end; now += frame) {
        queue_.push_at(now, now - 30ms);
        queue_.await_rest();
    }
    // The statistics measure the load as well, so they are read only once.
    gdouble latency = 0; // of the last step, which required the load
    gst_structure_get_double(testing::stats_of(queue_.element()).get(), "average_latency_ms",
                             &latency);
    EXPECT_NEAR(latency, 30, 1);
}

TEST_F(JkvmAdaptiveQueueReports, PostsAMessageWhenTheAverageLatencyCrossesAThreshold)
{
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    queue_.set("policy", 2, "delay", 100, "latency-warning", 50, "latency-critical", 200);
    queue_.play();
    for (int i = 0; i < 20; ++i) {
        queue_.push_at(1s + i * frame, 990ms + i * frame);
        queue_.await_rest();
    }
    GstRef<GstMessage> message;
    do {
        message = GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT));
        ASSERT_TRUE(message);
    } while (!gst_message_has_name(message.get(), "jkvm-latency"));
    const auto *fields = gst_message_get_structure(message.get());
    EXPECT_STREQ(gst_structure_get_string(fields, "reason"), "high");
    EXPECT_STREQ(gst_structure_get_string(fields, "trend"), "stable");
    for (const char *field : {"current", "average", "p95"}) {
        guint64 value = 0;
        EXPECT_TRUE(gst_structure_get_uint64(fields, field, &value)) << field;
        EXPECT_NEAR(static_cast<double>(value), 100e6, 1e6) << field; // p95 is an estimate
    }
    gst_element_set_bus(queue_.element(), nullptr);
}

} // namespace
} // namespace jkvm
