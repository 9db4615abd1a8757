// SPDX-License-Identifier: LGPL-2.1-or-later
#include "loss_report.h"

namespace jkvm {

std::optional<LossReport::Losses> LossReport::take(const PlayoutCounters &totals, nanoseconds now)
{
    const Losses losses{totals.late - reported_.late, totals.dropped.late - reported_.dropped.late,
                        totals.dropped.max_delay - reported_.dropped.max_delay,
                        totals.dropped.overflow - reported_.dropped.overflow};
    if (losses.late + losses.skipped + losses.excess + losses.overflow == 0)
        return std::nullopt;
    if (last_ && now - *last_ < interval)
        return std::nullopt;
    last_ = now;
    reported_ = totals;
    return losses;
}

} // namespace jkvm
