// SPDX-License-Identifier: LGPL-2.1-or-later
// Fixture for tests of jkvmadaptivequeue with events, queries and state changes.
#pragma once

#include "check/elements/adaptive_queue_harness.h"

#include <vector>

namespace jkvm {

class JkvmAdaptiveQueueStream : public ::testing::Test {
protected:
    /// Pushes frames at 1 s; the first one is due at 1005 ms.
    void push_frames(int count)
    {
        queue_.set_time(std::chrono::seconds(1));
        for (int i = 0; i < count; ++i)
            EXPECT_EQ(queue_.push(std::chrono::milliseconds(970 + i * 20)), GST_FLOW_OK);
    }
    void push_event(GstEvent *event) { gst_harness_push_event(queue_.get(), event); }
    /// Waits until EOS was pushed.
    void end_stream()
    {
        push_event(gst_event_new_eos());
        while (queue_.pull_any().event != GST_EVENT_EOS && !HasFailure()) {
        }
    }
    void begin_another_stream()
    {
        push_event(gst_event_new_stream_start("another"));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        push_event(gst_event_new_segment(&segment));
    }
    [[nodiscard]] static GstEvent *make_marker()
    {
        return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("marker"));
    }
    /// Kinds of the outputs from the first buffer on.
    std::vector<testing::Output::Kind> pull_kinds(std::size_t count)
    {
        std::vector<testing::Output::Kind> kinds;
        while (kinds.size() < count && !HasFailure()) {
            const auto output = queue_.pull_any();
            if (!kinds.empty() || output.kind == testing::Output::Kind::buffer)
                kinds.push_back(output.kind);
        }
        return kinds;
    }
    struct Latency {
        gboolean is_live;
        nanoseconds minimum;
        GstClockTime maximum;
    };
    /// With a live upstream of 30 ms.
    Latency query_latency()
    {
        auto *query = gst_query_new_latency();
        gst_harness_set_upstream_latency(queue_.get(), 30 * GST_MSECOND);
        EXPECT_TRUE(gst_pad_peer_query(queue_.get()->sinkpad, query));
        Latency latency{};
        GstClockTime minimum = 0;
        gst_query_parse_latency(query, &latency.is_live, &minimum, &latency.maximum);
        gst_query_unref(query);
        latency.minimum = nanoseconds(minimum);
        return latency;
    }
    nanoseconds maximum_transit()
    {
        gint64 transit = 0;
        gst_structure_get_int64(testing::stats_of(queue_.element()).get(), "transit-max", &transit);
        return nanoseconds(transit);
    }
    void set_enum(const char *property, const char *nick)
    {
        gst_util_set_object_arg(G_OBJECT(queue_.element()), property, nick);
    }

    testing::AdaptiveQueueHarness queue_;
};

} // namespace jkvm
