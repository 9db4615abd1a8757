// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/frame_stepper.h"

namespace jkvm {

nanoseconds FrameStepper::request_change(const Slot &slot, nanoseconds target_offset)
{
    const auto excess = slot.offset - target_offset;
    if (last_edit_ && slot.time - *last_edit_ < minimum_interval)
        return nanoseconds(0);
    if (excess <= -slot.duration) {
        last_edit_ = slot.time;
        return slot.duration;
    }
    if (excess >= slot.duration && slot.can_drop) {
        last_edit_ = slot.time;
        return -slot.duration;
    }
    return nanoseconds(0);
}

} // namespace jkvm
