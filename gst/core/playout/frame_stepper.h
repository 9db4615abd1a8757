// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps the delay near a target by whole frames, at a limited rate.
#pragma once

#include "core/playout/delay_policy.h"

#include <optional>

namespace jkvm {

/// Shared by the policies that name a target delay instead of weighing costs.
class FrameStepper {
public:
    /// Edits closer together than this are heard as one disturbance.
    static constexpr nanoseconds minimum_interval = std::chrono::milliseconds(200);

    void reset() { last_edit_.reset(); }
    /// Answers DelayPolicy::request_change(). A difference of less than one frame is left alone,
    /// because correcting it would overshoot and oscillate.
    nanoseconds request_change(const Slot &slot, nanoseconds target_offset);

private:
    std::optional<nanoseconds> last_edit_;
};

} // namespace jkvm
