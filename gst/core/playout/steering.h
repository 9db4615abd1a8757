// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps the delay near a given one, by whole frames and not too often.
#pragma once

#include "core/playout/delay_policy.h"

#include <optional>

namespace jkvm {

/// What the policies share that name a delay instead of weighing costs.
class Steering {
public:
    /// Edits closer to each other than this are heard as one bad spot.
    static constexpr nanoseconds pause_between_edits = std::chrono::milliseconds(200);

    void reset() { last_edit_.reset(); }
    /// The answer to DelayPolicy::wanted_change. A difference of less than a frame is left alone:
    /// whoever acts on less swings between the two sides.
    nanoseconds wanted_change(const Slot &slot, nanoseconds target_offset);

private:
    std::optional<nanoseconds> last_edit_;
};

} // namespace jkvm
