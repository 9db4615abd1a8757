// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the requests of jkvmadaptivequeue to the sender's encoder.
#include "check/elements/adaptive_queue_harness.h"

#include "support/raw_socket.h"

#include <functional>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::stat;

constexpr auto frame = 20ms;

/// A stream of 96 kbit/s whose frames arrive at least 30 ms after their capture.
class JkvmAdaptiveQueueOptimize : public ::testing::Test {
protected:
    void play()
    {
        queue_.set("optimize-interval", 1000, "optimize-cool-down", 2000, "stats-interval", 0);
        queue_.play();
    }
    void push()
    {
        queue_.set_time(now_);
        queue_.push(media_, packet_);
        queue_.await_rest();
        media_ += frame;
    }
    void run(nanoseconds time)
    {
        for (const auto end = now_ + time; now_ < end; now_ += frame)
            push();
    }
    /// Delays every frame from now on.
    void delay_frames(nanoseconds time)
    {
        now_ += time;
        queue_.set_time(now_);
        queue_.push(media_, packet_);
        queue_.settle(); // the frame is overdue and pushed immediately
        media_ += frame;
        now_ += frame;
    }
    /// Pushes all delayed frames.
    void catch_up()
    {
        while (media_ < now_ - 30ms)
            push();
    }
    void run_at_level_4()
    {
        play();
        run(1s);
        delay_frames(160ms); // 4.48 levels
        run(3s);
        ASSERT_EQ(request().bitrate, 57600u);
    }

    struct Request {
        guint bitrate = 0;
        guint frame_size = 0;
        gboolean is_withdrawn = FALSE;
    };
    /// The next request sent upstream.
    Request request()
    {
        for (;;) {
            const auto event =
                GstRef<GstEvent>::adopt(gst_harness_pull_upstream_event(queue_.get()));
            Request request;
            if (!event) {
                ADD_FAILURE() << "no request was sent";
                return request;
            }
            if (!gst_event_has_name(event.get(), "jkvm-encoder-request"))
                continue;
            const auto *fields = gst_event_get_structure(event.get());
            gst_structure_get_uint(fields, "bitrate", &request.bitrate);
            gst_structure_get_uint(fields, "frame-size", &request.frame_size);
            gst_structure_get_boolean(fields, "withdrawn", &request.is_withdrawn);
            return request;
        }
    }
    void expect_withdrawal()
    {
        const auto last = request();
        EXPECT_TRUE(last.is_withdrawn);
        EXPECT_EQ(last.bitrate, 96000u); // for an encoder that does not know its own
        EXPECT_EQ(level(), 0u);
    }
    bool is_no_request_pending()
    {
        for (;;) {
            const auto event =
                GstRef<GstEvent>::adopt(gst_harness_try_pull_upstream_event(queue_.get()));
            if (!event)
                return true;
            if (gst_event_has_name(event.get(), "jkvm-encoder-request"))
                return false;
        }
    }
    guint level()
    {
        guint level = 99;
        gst_structure_get_uint(testing::stats_of(queue_.element()).get(), "optimization_level",
                               &level);
        return level;
    }

    testing::AdaptiveQueueHarness queue_;
    std::vector<std::uint8_t> packet_ = std::vector<std::uint8_t>(240, 0xFC); // 20 ms, CELT
    nanoseconds now_ = 1s;
    nanoseconds media_ = 970ms;
};

TEST_F(JkvmAdaptiveQueueOptimize, RequestsLessWhileFramesAreLateAndWithdrawsAfterwards)
{
    queue_.set("optimize", TRUE);
    run_at_level_4();
    EXPECT_EQ(level(), 4u);
    EXPECT_EQ(stat(queue_.element(), "optimization_count"), 1u);
    EXPECT_GT(stat(queue_.element(), "last_optimization"), 0u);
    delay_frames(140ms); // 300 ms in total
    run(3s);
    const auto lowest = request();
    EXPECT_EQ(lowest.bitrate, 24000u);
    EXPECT_EQ(lowest.frame_size, 1920u);
    EXPECT_FALSE(lowest.is_withdrawn);
    catch_up();
    run(5s);
    expect_withdrawal();
    EXPECT_EQ(stat(queue_.element(), "optimization_count"), 3u);
    EXPECT_TRUE(is_no_request_pending());
}

TEST_F(JkvmAdaptiveQueueOptimize, IsOffByDefault)
{
    play();
    run(1s);
    delay_frames(300ms);
    run(10s);
    queue_.settle();
    EXPECT_TRUE(is_no_request_pending());
    EXPECT_EQ(level(), 0u);
}

TEST_F(JkvmAdaptiveQueueOptimize, WithdrawsWhenNothingArrives)
{
    queue_.set("optimize", TRUE);
    run_at_level_4();
    const auto give_up = monotonic_now() + testing::wait_timeout;
    while (level() > 0 && monotonic_now() < give_up)
        queue_.advance();
    expect_withdrawal();
}

TEST_F(JkvmAdaptiveQueueOptimize, WithdrawsImmediatelyWhenTheStreamEnds)
{
    const auto begin_segment = [this] {
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        gst_harness_push_event(queue_.get(), gst_event_new_segment(&segment));
    };
    const auto begin_stream = [&] {
        gst_harness_push_event(queue_.get(), gst_event_new_stream_start("another"));
        begin_segment();
    };
    const auto flush = [&] {
        gst_harness_push_event(queue_.get(), gst_event_new_flush_start());
        gst_harness_push_event(queue_.get(), gst_event_new_flush_stop(TRUE));
        begin_segment();
    };
    const auto switch_off = [this] { queue_.set("optimize", FALSE); };
    const auto stop = [this] { gst_element_set_state(queue_.element(), GST_STATE_READY); };
    play();
    for (const auto &end :
         std::initializer_list<std::function<void()>>{begin_stream, flush, switch_off, stop}) {
        queue_.set("optimize", TRUE);
        run(1s);
        delay_frames(200ms);
        run(4s);
        EXPECT_LT(request().bitrate, 96000u);
        catch_up();
        end();
        expect_withdrawal();
    }
    EXPECT_TRUE(is_no_request_pending());
}

} // namespace
} // namespace jkvm
