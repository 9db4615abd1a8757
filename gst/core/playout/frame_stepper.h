// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps the delay near a target by dropping or concealing whole frames, at a limited rate.
#pragma once

#include "core/playout/delay_policy.h"

#include <optional>

namespace jkvm {

/// Shared by the policies that have a target delay and no cost function.
class FrameStepper {
public:
    /// Minimum interval between changes: more frequent ones would be heard as one disturbance.
    static constexpr nanoseconds minimum_interval = std::chrono::milliseconds(200);

    void reset() { last_edit_.reset(); }
    /// Answers DelayPolicy::request_change(). A difference of less than one frame is left alone,
    /// because correcting it would overshoot and oscillate.
    nanoseconds request_change(const Slot &slot, nanoseconds target_offset);

private:
    std::optional<nanoseconds> last_edit_;
};

} // namespace jkvm
