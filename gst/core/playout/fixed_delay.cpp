// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/fixed_delay.h"

#include <cmath>

namespace jkvm {

void FixedDelayPolicy::reset()
{
    stepper_.reset();
    minimum_transit_ = nanoseconds(0);
}

nanoseconds FixedDelayPolicy::request_change(const Slot &slot)
{
    return stepper_.request_change(slot, target());
}

double FixedDelayPolicy::cost(nanoseconds offset)
{
    return std::abs(milliseconds_of(offset - target()));
}

} // namespace jkvm
