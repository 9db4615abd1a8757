// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the limits of jkvmadaptivequeue: which buffers it drops when it is full, and when it
// blocks.
#include "check/elements/adaptive_queue_harness.h"

#include <future>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::buffer_at;
using testing::frame;

/// Frames arrive 30 ms after their capture.
class JkvmAdaptiveQueueLimits : public ::testing::Test {
protected:
    [[nodiscard]] guint64 counter(const char *name)
    {
        return testing::stat(queue_.element(), name);
    }

    testing::AdaptiveQueueHarness queue_;
};

TEST_F(JkvmAdaptiveQueueLimits, DropsOldestFramesWhenFull)
{
    queue_.set("max-size-buffers", 3u);
    int overruns = 0;
    const auto count = +[](int *to) { ++*to; };
    g_signal_connect_swapped(queue_.element(), "overrun", G_CALLBACK(count), &overruns);
    queue_.play();
    queue_.set_time(1s);
    for (int i = 0; i < 5; ++i)
        queue_.push(970ms + i * frame);
    EXPECT_EQ(counter("dropped-overflow"), 2u);
    EXPECT_EQ(counter("dropped"), 2u);
    EXPECT_EQ(overruns, 2);
    guint level = 0;
    g_object_get(queue_.element(), "current-level-buffers", &level, nullptr);
    EXPECT_EQ(level, 3u);
    queue_.set("silent", TRUE);
    queue_.push(970ms + 5 * frame);
    EXPECT_EQ(overruns, 2);
}

TEST_F(JkvmAdaptiveQueueLimits, BytesAndTimeLimitTheQueue)
{
    const auto size = static_cast<guint>(testing::celt_packet.size());
    queue_.set("max-size-bytes", 2 * size);
    queue_.play();
    queue_.set_time(1s);
    for (int i = 0; i < 3; ++i)
        queue_.push(970ms + i * frame);
    guint bytes = 0;
    g_object_get(queue_.element(), "current-level-bytes", &bytes, nullptr);
    EXPECT_EQ(bytes, 2 * size);
    queue_.set("max-size-bytes", 0u, "max-size-time", guint64{80 * GST_MSECOND});
    for (int i = 3; i < 10; ++i)
        queue_.push(970ms + i * frame);
    guint64 time = 0;
    g_object_get(queue_.element(), "current-level-time", &time, nullptr);
    EXPECT_EQ(time, 80 * GST_MSECOND);
}

TEST_F(JkvmAdaptiveQueueLimits, LeakyUpstreamDropsTheNewest)
{
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "leaky", "upstream");
    queue_.set("max-size-buffers", 1u);
    queue_.play();
    queue_.push_at(1s, 970ms);
    queue_.push_at(1s, 990ms);
    EXPECT_EQ(counter("dropped-new"), 1u);
    queue_.advance_to(1005ms);
    EXPECT_EQ(queue_.pull(), buffer_at(1005ms)); // the first one
}

TEST_F(JkvmAdaptiveQueueLimits, LeakyNoBlocksUpstream)
{
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "leaky", "no");
    queue_.set("max-size-buffers", 1u);
    std::promise<void> full;
    const auto tell = +[](std::promise<void> *to) { to->set_value(); };
    g_signal_connect_swapped(queue_.element(), "overrun", G_CALLBACK(tell), &full);
    queue_.play();
    queue_.push_at(1s, 970ms);
    auto pushing =
        std::async(std::launch::async, [this] { return queue_.push(990ms) == GST_FLOW_OK; });
    full.get_future().wait();
    queue_.advance_to(1005ms);
    EXPECT_EQ(queue_.pull(), buffer_at(1005ms));
    EXPECT_TRUE(pushing.get()); // room again
    queue_.advance_to(1025ms);
    EXPECT_EQ(queue_.pull(), buffer_at(1025ms));
    EXPECT_EQ(counter("dropped"), 0u);
}

TEST_F(JkvmAdaptiveQueueLimits, BufferAfterADroppedOneIsDiscontinuous)
{
    queue_.set("max-size-buffers", 1u);
    queue_.play();
    queue_.push_at(1s, 970ms);
    queue_.advance_to(1005ms);
    queue_.pull();
    queue_.push_at(1010ms, 990ms);
    queue_.push_at(1011ms, 1010ms);
    queue_.advance_to(1025ms);
    const auto output = queue_.pull();
    EXPECT_EQ(output, buffer_at(1025ms));
    EXPECT_TRUE(output.is_discont);
}

} // namespace
} // namespace jkvm
