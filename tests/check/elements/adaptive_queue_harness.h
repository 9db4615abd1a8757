// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs jkvmadaptivequeue in a harness on a test clock.
#pragma once

#include "core/base/time.h"
#include "support/gst_test.h"

#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace jkvm::testing {

using std::chrono::nanoseconds;

inline const std::vector<std::uint8_t> celt_packet{0xFC, 1, 2, 3, 4, 5}; // 20 ms, stereo
inline const std::vector<std::uint8_t> silk_packet{0x08, 0x80, 2, 3,
                                                   4}; // 20 ms, with voice activity

/// An item pushed by the element.
struct Output {
    enum class Kind { buffer, gap, event, query } kind;
    nanoseconds time{0}; ///< of a buffer or gap
    nanoseconds duration{0};
    nanoseconds media{0}; ///< original timestamp of a buffer from make_frame(); not compared
    bool is_discont = false;
    GstEventType event = GST_EVENT_UNKNOWN;

    bool operator==(const Output &other) const
    {
        return kind == other.kind && time == other.time && duration == other.duration;
    }
};
std::ostream &operator<<(std::ostream &stream, const Output &output);

inline constexpr std::chrono::milliseconds frame{20}; ///< duration of the packets

/// Returns the output for a packet that is pushed at `time`.
inline Output buffer_at(nanoseconds time)
{
    return {.kind = Output::Kind::buffer, .time = time, .duration = frame};
}

class AdaptiveQueueHarness {
public:
    /// Leaves the element in READY, so that properties can be set before play().
    AdaptiveQueueHarness();
    AdaptiveQueueHarness(const AdaptiveQueueHarness &) = delete;
    AdaptiveQueueHarness &operator=(const AdaptiveQueueHarness &) = delete;
    ~AdaptiveQueueHarness();

    void play();
    [[nodiscard]] GstElement *element() const { return element_; }
    [[nodiscard]] GstHarness *get() const { return harness_; }
    template <typename... Args>
    void set(Args... args)
    {
        g_object_set(element_, args..., nullptr);
    }

    void set_time(nanoseconds time);
    /// Waits until the element waits for that time.
    void await_wait(nanoseconds time);
    /// Waits until the element waits for a time that is still to come.
    void await_rest();
    /// await_wait(), then sets that time.
    void advance_to(nanoseconds time);
    /// Advances to the time that it waits for, if it waits for one at present.
    void advance();

    static GstBuffer *make_frame(nanoseconds media_time,
                                 const std::vector<std::uint8_t> &packet = celt_packet);
    GstFlowReturn push(nanoseconds media_time,
                       const std::vector<std::uint8_t> &packet = celt_packet);
    /// Sets the time and pushes a frame.
    void push_at(nanoseconds arrival, nanoseconds media_time);
    void push_gap(nanoseconds start, nanoseconds duration);

    /// Waits for the next buffer or gap; skips other items before it.
    Output pull();
    /// Waits for the next item of any kind.
    Output pull_any();
    /// Whether no buffer or gap was pushed since the last pull().
    bool is_nothing_out();
    /// Sends a query downstream; a serialized one returns when everything before it was pushed.
    bool query(GstQuery *query);
    /// Waits until an element without buffers waits for an arrival or a deadline.
    void settle();

private:
    GstPadProbeReturn take(GstPadProbeInfo *info);
    GstElement *element_;
    GstHarness *harness_;
    GstTestClock *clock_;

    std::mutex mutex_; // guards the outputs
    std::condition_variable arrived_;
    std::deque<Output> outputs_;
};

} // namespace jkvm::testing
