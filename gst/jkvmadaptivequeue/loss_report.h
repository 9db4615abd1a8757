// SPDX-License-Identifier: LGPL-2.1-or-later
// Limits the rate of warnings about late and dropped frames.
#pragma once

#include "core/base/time.h"
#include "core/playout/playout.h"

#include <optional>

namespace jkvm {

/// Thread-bound.
class LossReport {
public:
    static constexpr nanoseconds interval = std::chrono::seconds(1);

    /// Frames since the previous report.
    struct Losses {
        std::uint64_t late;    ///< arrived after their slot
        std::uint64_t skipped; ///< dropped because their slot had passed
        std::uint64_t excess;  ///< dropped because of max-delay
        std::uint64_t overflow;
    };

    /// Returns the losses to warn about, at most once per interval. `totals` never decrease.
    std::optional<Losses> take(const PlayoutCounters &totals, nanoseconds now);

private:
    PlayoutCounters reported_;
    std::optional<nanoseconds> last_;
};

} // namespace jkvm
