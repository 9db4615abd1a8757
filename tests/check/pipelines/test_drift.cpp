// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmipcsrc ! jkvmadaptivequeue on a test clock and a fake wall clock, for an hour in which the
// sender's sample clock drifts against them.
#include "support/fake_clocks.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <random>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr WallTime epoch{1'700'000'000s}; // running time 0
constexpr nanoseconds frame = 20ms;
constexpr int frames_per_minute = 60 * 50;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int minutes = 5; // a sanitizer makes each frame ten times as expensive
#else
constexpr int minutes = 60;
#endif

/// Counts the buffers and the discontinuities that pass a pad.
struct Passed {
    std::atomic<int> buffers = 0;
    std::atomic<int> gaps = 0; ///< GAP events after the first buffer, and DISCONT buffers

    void watch(GstPad *pad)
    {
        gst_pad_add_probe(
            pad,
            static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                         GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
            [](GstPad *, GstPadProbeInfo *info, gpointer self) {
                static_cast<Passed *>(self)->count(info);
                return GST_PAD_PROBE_OK;
            },
            this, nullptr);
    }

private:
    void count(GstPadProbeInfo *info)
    {
        const auto *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        const bool is_buffer = (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) != 0;
        const bool is_gap = is_buffer
                                ? GST_BUFFER_IS_DISCONT(buffer)
                                : GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_GAP;
        gaps += is_gap && buffers > 0 ? 1 : 0;
        buffers += is_buffer ? 1 : 0;
    }
};

/// The server and the two elements. The clocks advance only with send(), which returns when both
/// elements have done everything that is due.
class DriftPath {
public:
    DriftPath()
    {
        gst_harness_add_parse(harness_, ("jkvmipcsrc socket-path=" + directory_.file("audio.sock") +
                                         " ! jkvmadaptivequeue min-delay=40")
                                            .c_str());
        source_ = GstRef<GstElement>::adopt(gst_harness_find_element(harness_, "jkvmipcsrc"));
        queue_ = GstRef<GstElement>::adopt(gst_harness_find_element(harness_, "jkvmadaptivequeue"));
        clock_ = GstRef<GstTestClock>::adopt(gst_harness_get_testclock(harness_));
        gst_harness_set_drop_buffers(harness_, TRUE);
        const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(queue_.get(), "sink"));
        received.watch(pad.get());
        played.watch(harness_->sinkpad);
        chain_ = GST_PAD_CHAINFUNC(pad.get());
        gst_pad_set_chain_function_full(pad.get(), &DriftPath::chain, this, nullptr);
        set_time(1s);
        gst_harness_play(harness_);
        server_ = testing::accept_from(listener_.get());
    }
    DriftPath(const DriftPath &) = delete;
    DriftPath &operator=(const DriftPath &) = delete;
    ~DriftPath() { gst_harness_teardown(harness_); }

    /// Sends a frame that was captured and arrives at these running times.
    void send(nanoseconds captured, nanoseconds arrival)
    {
        advance_to(arrival);
        testing::send_all(
            server_.get(),
            testing::message_v1("UOKJ", 0, (epoch + captured).time_since_epoch().count(), packet_));
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(arrived_.wait_for(lock, testing::wait_timeout, [this] {
            return chained_ > sent_;
        })) << "the source passed no buffer on";
        ++sent_;
    }
    [[nodiscard]] GstElement *source() const { return source_.get(); }
    [[nodiscard]] GstElement *queue() const { return queue_.get(); }

    Passed received; ///< by the queue
    Passed played;   ///< by the queue

private:
    static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
    {
        auto *const self = static_cast<DriftPath *>(pad->chaindata);
        const auto flow = self->chain_(pad, parent, buffer);
        const std::lock_guard lock(self->mutex_);
        ++self->chained_;
        self->arrived_.notify_all();
        return flow;
    }
    void set_time(nanoseconds time)
    {
        testing::FakeWallClock::set(epoch + time);
        gst_test_clock_set_time(clock_.get(), static_cast<GstClockTime>(time.count()));
    }
    /// Lets the queue do everything that is due before `time`. It always waits for a time, because
    /// the minimum delay keeps a frame in it.
    void advance_to(nanoseconds time)
    {
        while (sent_ > 0) {
            constexpr auto timeout_ms =
                static_cast<guint>(std::chrono::milliseconds(testing::wait_timeout).count());
            ASSERT_TRUE(gst_test_clock_timed_wait_for_multiple_pending_ids(clock_.get(), 1,
                                                                           timeout_ms, nullptr))
                << "the queue does not wait";
            const nanoseconds next(gst_test_clock_get_next_entry_time(clock_.get()));
            if (next > time)
                break;
            if (next.count() > static_cast<gint64>(gst_clock_get_time(GST_CLOCK(clock_.get()))))
                set_time(next);
            gst_clock_id_unref(gst_test_clock_process_next_clock_id(clock_.get()));
        }
        set_time(time);
    }

    const std::vector<std::uint8_t> packet_{0xFC, 1, 2, 3}; // CELT, 20 ms, stereo
    testing::FakeWallClock wall_clock_{epoch};
    testing::TemporaryDirectory directory_;
    UniqueFd listener_ = testing::listen_at(directory_.file("audio.sock"));
    UniqueFd server_;
    GstHarness *harness_ = gst_harness_new_empty();
    GstRef<GstElement> source_;
    GstRef<GstElement> queue_;
    GstRef<GstTestClock> clock_;
    GstPadChainFunction chain_ = nullptr;
    int sent_ = 0;
    std::mutex mutex_; // guards chained_
    std::condition_variable arrived_;
    int chained_ = 0; // frames that the queue accepted
};

double drift_of(GstElement *element)
{
    double ppm = NAN;
    gst_structure_get_double(testing::stats_of(element).get(), "drift-ppm", &ppm);
    return ppm;
}

class Drift : public ::testing::TestWithParam<double> {
protected:
    static nanoseconds capture_time(int i)
    {
        const auto nominal = static_cast<double>(i * frame.count());
        return 2s + nanoseconds(std::llround(nominal / (1 + GetParam() / 1e6)));
    }
    nanoseconds transit() { return 27ms + nanoseconds(std::llround(jitter_(random_))); }

private:
    std::mt19937 random_{1};
    std::exponential_distribution<double> jitter_{1.0 / 500e3}; // mean 0.5 ms
};

TEST_P(Drift, LosesNothingInAnHourAndIsReportedByTheSourceOnly)
{
    DriftPath path;
    constexpr int frames = minutes * frames_per_minute;
    double source_error = 0;
    double queue_error = 0;
    for (int i = 0; i < frames; ++i) {
        ASSERT_NO_FATAL_FAILURE(path.send(capture_time(i), capture_time(i) + transit()));
        if (i < frames_per_minute || i % 50 != 0)
            continue;
        source_error = std::max(source_error, std::abs(drift_of(path.source()) - GetParam()));
        queue_error = std::max(queue_error, std::abs(drift_of(path.queue())));
    }
    EXPECT_LE(source_error, 30); // ppm
    EXPECT_LE(queue_error, 30);
    EXPECT_EQ(path.received.buffers, frames);
    EXPECT_EQ(path.received.gaps, 0);
    EXPECT_EQ(path.played.gaps, 0);
    EXPECT_GE(path.played.buffers, frames - 4); // the rest is queued
    for (const char *counter : {"lost", "dropped-late", "dropped-invalid", "dropped-early"})
        EXPECT_EQ(testing::stat(path.source(), counter), 0u) << counter;
    for (const char *counter : {"dropped", "late", "underruns", "concealed", "inserted", "paused"})
        EXPECT_EQ(testing::stat(path.queue(), counter), 0u) << counter;
}

INSTANTIATE_TEST_SUITE_P(Ppm, Drift,
                         ::testing::Values(-1000.0, -500.0, -50.0, 50.0, 500.0, 1000.0));

} // namespace
} // namespace jkvm
