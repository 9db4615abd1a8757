// SPDX-License-Identifier: LGPL-2.1-or-later
#include "check/elements/adaptive_queue_harness.h"

#include "support/raw_socket.h"

#include <algorithm>
#include <array>
#include <ostream>

namespace jkvm::testing {

namespace {

GstClockTime clock_time(nanoseconds time)
{
    return static_cast<GstClockTime>(time.count());
}

} // namespace

std::ostream &operator<<(std::ostream &stream, const Output &output)
{
    constexpr std::array kinds{"buffer", "gap", "event", "query"};
    return stream << kinds[static_cast<std::size_t>(output.kind)] << " at " << output.time.count()
                  << " for " << output.duration.count();
}

AdaptiveQueueHarness::AdaptiveQueueHarness()
    : element_(gst_element_factory_make("jkvmadaptivequeue", nullptr)),
      harness_(gst_harness_new_with_element(element_, "sink", "src")),
      clock_(gst_harness_get_testclock(harness_))
{
    gst_object_unref(element_); // owned by the harness
    gst_element_set_state(element_, GST_STATE_READY);
    gst_pad_add_probe(
        harness_->sinkpad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM |
                                     GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM),
        [](GstPad *, GstPadProbeInfo *info, gpointer self) {
            return static_cast<AdaptiveQueueHarness *>(self)->take(info);
        },
        this, nullptr);
    gst_harness_set_drop_buffers(harness_, TRUE);
    gst_harness_set_src_caps_str(harness_, "audio/x-opus,rate=48000,channels=2,"
                                           "channel-mapping-family=0");
}

AdaptiveQueueHarness::~AdaptiveQueueHarness()
{
    gst_object_unref(clock_);
    gst_harness_teardown(harness_);
}

void AdaptiveQueueHarness::play()
{
    gst_harness_play(harness_);
}

void AdaptiveQueueHarness::set_time(nanoseconds time)
{
    gst_test_clock_set_time(clock_, clock_time(time));
}

void AdaptiveQueueHarness::await_wait(nanoseconds time)
{
    const auto give_up = monotonic_now() + wait_timeout;
    for (;;) {
        GstClockID id = nullptr;
        const bool is_waiting = gst_test_clock_peek_next_pending_id(clock_, &id) != FALSE;
        const bool is_right = is_waiting && gst_clock_id_get_time(id) == clock_time(time);
        const auto found = is_waiting ? gst_clock_id_get_time(id) : GST_CLOCK_TIME_NONE;
        if (is_waiting)
            gst_clock_id_unref(id);
        if (is_right)
            return;
        if (monotonic_now() > give_up) {
            ADD_FAILURE() << "the element does not wait for " << time.count() << " but for "
                          << found;
            return;
        }
        g_thread_yield();
    }
}

void AdaptiveQueueHarness::await_rest()
{
    const auto give_up = monotonic_now() + wait_timeout;
    const auto now = gst_clock_get_time(GST_CLOCK(clock_));
    for (bool is_at_rest = false; !is_at_rest;) {
        GstClockID id = nullptr;
        if (gst_test_clock_peek_next_pending_id(clock_, &id)) {
            is_at_rest = gst_clock_id_get_time(id) > now;
            gst_clock_id_unref(id);
            // A running clock would have ended that wait.
            auto *const over = is_at_rest ? nullptr : gst_test_clock_process_next_clock_id(clock_);
            if (over != nullptr)
                gst_clock_id_unref(over);
        }
        if (monotonic_now() > give_up) {
            ADD_FAILURE() << "the element does not wait for a later time";
            return;
        }
        g_thread_yield();
    }
}

void AdaptiveQueueHarness::advance_to(nanoseconds time)
{
    await_wait(time);
    gst_test_clock_crank(clock_);
}

void AdaptiveQueueHarness::advance()
{
    if (gst_test_clock_peek_next_pending_id(clock_, nullptr))
        gst_test_clock_crank(clock_);
}

GstBuffer *AdaptiveQueueHarness::make_frame(nanoseconds media_time,
                                            const std::vector<std::uint8_t> &packet)
{
    auto *buffer = gst_buffer_new_memdup(packet.data(), packet.size());
    GST_BUFFER_PTS(buffer) = clock_time(media_time);
    GST_BUFFER_DURATION(buffer) = 20 * GST_MSECOND;
    GST_BUFFER_OFFSET(buffer) = clock_time(media_time); // kept by the element, identifies the frame
    return buffer;
}

GstFlowReturn AdaptiveQueueHarness::push(nanoseconds media_time,
                                         const std::vector<std::uint8_t> &packet)
{
    return gst_harness_push(harness_, make_frame(media_time, packet));
}

void AdaptiveQueueHarness::push_at(nanoseconds arrival, nanoseconds media_time)
{
    set_time(arrival);
    EXPECT_EQ(push(media_time), GST_FLOW_OK);
}

void AdaptiveQueueHarness::push_gap(nanoseconds start, nanoseconds duration)
{
    gst_harness_push_event(harness_, gst_event_new_gap(clock_time(start), clock_time(duration)));
}

bool AdaptiveQueueHarness::query(GstQuery *query)
{
    const bool result = gst_pad_peer_query(harness_->srcpad, query) != FALSE;
    gst_query_unref(query);
    return result;
}

void AdaptiveQueueHarness::settle()
{
    // The element runs its engine for the gap, which is too early to have an effect.
    push_gap(nanoseconds(0), nanoseconds(0));
    query(gst_query_new_drain());
}

GstPadProbeReturn AdaptiveQueueHarness::take(GstPadProbeInfo *info)
{
    Output output{.kind = Output::Kind::query};
    if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
        auto *buffer = gst_pad_probe_info_get_buffer(info);
        output = {.kind = Output::Kind::buffer,
                  .time = nanoseconds(GST_BUFFER_PTS(buffer)),
                  .duration = nanoseconds(GST_BUFFER_DURATION(buffer)),
                  .media = nanoseconds(GST_BUFFER_OFFSET(buffer)),
                  .is_discont = GST_BUFFER_IS_DISCONT(buffer)};
    } else if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0) {
        auto *event = gst_pad_probe_info_get_event(info);
        output = {.kind = Output::Kind::event, .event = GST_EVENT_TYPE(event)};
        if (output.event == GST_EVENT_GAP) {
            GstClockTime start = 0;
            GstClockTime duration = 0;
            gst_event_parse_gap(event, &start, &duration);
            output.kind = Output::Kind::gap;
            output.time = nanoseconds(start);
            output.duration = nanoseconds(duration);
        }
    } else if ((info->type & GST_PAD_PROBE_TYPE_PUSH) == 0) {
        return GST_PAD_PROBE_OK; // the answer to a query
    }
    const std::lock_guard lock(mutex_);
    outputs_.push_back(output);
    arrived_.notify_all();
    return GST_PAD_PROBE_OK;
}

Output AdaptiveQueueHarness::pull_any()
{
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, wait_timeout, [this] { return !outputs_.empty(); })) {
        ADD_FAILURE() << "the element pushes nothing";
        return {};
    }
    const auto output = outputs_.front();
    outputs_.pop_front();
    return output;
}

Output AdaptiveQueueHarness::pull()
{
    for (;;) {
        const auto output = pull_any();
        if (::testing::Test::HasFailure() || output.kind == Output::Kind::buffer ||
            output.kind == Output::Kind::gap)
            return output;
    }
}

bool AdaptiveQueueHarness::is_nothing_out()
{
    const std::lock_guard lock(mutex_);
    return std::none_of(outputs_.begin(), outputs_.end(), [](const Output &output) {
        return output.kind == Output::Kind::buffer || output.kind == Output::Kind::gap;
    });
}

} // namespace jkvm::testing
