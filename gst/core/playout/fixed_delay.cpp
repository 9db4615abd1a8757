// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/fixed_delay.h"

#include <cmath>

namespace jkvm {

void FixedDelayPolicy::reset()
{
    steering_.reset();
    least_transit_ = nanoseconds(0);
}

nanoseconds FixedDelayPolicy::wanted_change(const Slot &slot)
{
    return steering_.wanted_change(slot, target());
}

double FixedDelayPolicy::cost(nanoseconds offset)
{
    return std::abs(milliseconds_of(offset - target()));
}

} // namespace jkvm
