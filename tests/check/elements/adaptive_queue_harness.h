// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmadaptivequeue between the test's two hands, on a clock that only the test moves.
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
inline const std::vector<std::uint8_t> silk_packet{0x08, 0x80, 2, 3, 4}; // 20 ms, with a voice

/// What came out, in its order.
struct Output {
    enum class Kind { buffer, gap, event, query } kind;
    nanoseconds time{0}; ///< of a buffer or gap
    nanoseconds duration{0};
    nanoseconds media{0}; ///< the time that a buffer of make_frame() came with; not compared
    bool is_discont = false;
    GstEventType event = GST_EVENT_UNKNOWN;

    bool operator==(const Output &other) const
    {
        return kind == other.kind && time == other.time && duration == other.duration;
    }
};
std::ostream &operator<<(std::ostream &stream, const Output &output);

class AdaptiveQueueHarness {
public:
    /// In READY, so that properties can be set; play() is for the test to call.
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
    /// As await_wait(), and then it is that time.
    void advance_to(nanoseconds time);
    /// The next time that it waits for, if it waits for one just now.
    void advance();

    static GstBuffer *make_frame(nanoseconds media_time,
                                 const std::vector<std::uint8_t> &packet = celt_packet);
    GstFlowReturn push(nanoseconds media_time,
                       const std::vector<std::uint8_t> &packet = celt_packet);
    /// A frame that arrives at that time.
    void push_at(nanoseconds arrival, nanoseconds media_time);
    void push_gap(nanoseconds start, nanoseconds duration);

    /// The next buffer or gap; other things before it are passed over. Waits for it.
    Output pull();
    /// The next thing of any kind.
    Output pull_any();
    /// Whether there is nothing yet that pull() would find.
    bool is_nothing_out();
    /// Sends it downstream; for a serialized one, comes back when all before it has come out.
    bool query(GstQuery *query);
    /// Waits until an element without buffers has done all that it does before the next time or
    /// arrival.
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
