// SPDX-License-Identifier: LGPL-2.1-or-later
// Interface of the playout policies, which choose the delay that Playout applies. A policy knows
// the times of frames, not their data.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// A frame that arrived. Transit is arrival minus media time, without drift. It is the frame's
/// latency if both are times of one clock; otherwise only differences of transits are meaningful.
struct TransitSample {
    nanoseconds arrival;
    nanoseconds transit;
    nanoseconds minimum;        ///< minimum transit of the last 64 s, this frame included
    nanoseconds recent_minimum; ///< minimum transit of the last 2 s, this frame included
    nanoseconds duration;       ///< of the frame
};

/// A slot whose frame is queued in time, offered to the policy for a change of the delay.
struct Slot {
    nanoseconds time;
    nanoseconds offset;   ///< output time minus media time, without drift: comparable to transits
    nanoseconds duration; ///< of the oldest frame
    nanoseconds wait;     ///< time that frame spent in the queue
    bool is_quiet;        ///< dropping that frame is hardly audible
    bool can_drop;        ///< another frame could take its place
};

/// Thread-bound. No member allocates.
class DelayPolicy {
public:
    virtual ~DelayPolicy() = default;

    /// A new stream starts: discards everything learned from the previous one.
    virtual void reset() = 0;
    virtual void observe(const TransitSample &sample) = 0;
    /// Delay of the first frame after its arrival.
    [[nodiscard]] virtual nanoseconds start_delay() const = 0;
    /// Called once per slot, before any other decision.
    virtual void on_slot(const Slot & /*slot*/) {}
    /// Called once per slot if the delay changes by whole frames. Returns the change that the
    /// policy requests: negative to drop the oldest frame if possible, positive to conceal that
    /// long before it, 0 for none.
    virtual nanoseconds request_change(const Slot &slot) = 0;
    /// Whether the policy would drop a quiet frame now. Only then does Slot::is_quiet matter.
    [[nodiscard]] virtual bool is_drop_considered() const { return false; }
    /// Cost of playing at this offset, in milliseconds of delay or their equivalent. After an
    /// underrun, playback resumes with the queued frame whose offset has the lowest cost.
    virtual double cost(nanoseconds offset) = 0;
    /// Offset that the policy would choose if a change had no cost. With AdaptMode::slew the offset
    /// moves towards it.
    [[nodiscard]] virtual nanoseconds target() = 0;

protected:
    DelayPolicy() = default;
    DelayPolicy(const DelayPolicy &) = default;
    DelayPolicy &operator=(const DelayPolicy &) = default;
};

} // namespace jkvm
