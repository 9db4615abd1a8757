// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/delay_slew.h"

#include <algorithm>
#include <cmath>

namespace jkvm {

nanoseconds DelaySlew::output_duration(nanoseconds duration, nanoseconds offset, nanoseconds shift)
{
    const auto length = static_cast<double>(duration.count());
    const auto distance = static_cast<double>((target_.value_or(offset) - offset).count());
    const auto share = std::min(length / static_cast<double>(time_constant.count()), 1.0);
    // Truncated, so that the rate stays within its limits.
    const auto limit = std::trunc(maximum_rate * length);
    const auto stretch = std::clamp(
        std::round(share * distance) + static_cast<double>(shift.count()), -limit, limit);
    stretch_ppm_ = 1e6 * stretch / length;
    return duration + nanoseconds(static_cast<std::int64_t>(stretch));
}

} // namespace jkvm
