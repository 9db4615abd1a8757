// SPDX-License-Identifier: LGPL-2.1-or-later
// What a playout policy is asked. Playout acts on the answers; a policy never sees a frame's bytes.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// A frame that arrived. Transit is arrival minus media time, less what drift did to it. It is the
/// frame's latency up to here if both are times of one clock; otherwise only differences of
/// transits mean something.
struct TransitSample {
    nanoseconds arrival;
    nanoseconds transit;
    nanoseconds minimum;        ///< the least transit of the last 64 s, this one included
    nanoseconds recent_minimum; ///< the same of the last 2 s
    nanoseconds duration;       ///< of the frame
};

/// A moment at which the oldest frame could play in time, and whether something should change.
struct Slot {
    nanoseconds time;
    nanoseconds offset;   ///< playout minus media time, less drift: comparable with transits
    nanoseconds duration; ///< of the oldest frame
    nanoseconds wait;     ///< how long that frame stood in the queue
    bool quiet;           ///< dropping that frame is hardly heard
    bool can_drop;        ///< another frame could take its place
};

/// Thread-bound. Nothing in here allocates.
class DelayPolicy {
public:
    virtual ~DelayPolicy() = default;

    /// A new stream: everything that was learned of the last one is forgotten.
    virtual void reset() = 0;
    virtual void observe(const TransitSample &sample) = 0;
    /// How long the first frame waits before it plays.
    [[nodiscard]] virtual nanoseconds start_delay() const = 0;
    /// Asked once a slot. Below 0: drop the oldest frame, if that can be; above 0: conceal that
    /// long before it; 0: leave everything as it is.
    virtual nanoseconds wanted_change(const Slot &slot) = 0;
    /// The queue ran dry and has frames again; each of them is an offset at which to go on. The one
    /// with the least cost is taken. In milliseconds of delay, or what is worth as much.
    virtual double cost(nanoseconds offset) = 0;
    /// The offset that the policy would have if a change were free.
    [[nodiscard]] virtual nanoseconds target() = 0;

protected:
    DelayPolicy() = default;
    DelayPolicy(const DelayPolicy &) = default;
    DelayPolicy &operator=(const DelayPolicy &) = default;
};

} // namespace jkvm
