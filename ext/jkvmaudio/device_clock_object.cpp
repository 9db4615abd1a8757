// SPDX-License-Identifier: LGPL-2.1-or-later
#include "device_clock_object.h"

#include <gst/audio/audio.h>

namespace jkvm {

GstClock *make_clock_object(const SharedDeviceClock &device_clock)
{
    const auto get_time = [](GstClock *, gpointer shared) noexcept {
        const auto &clock = *static_cast<SharedDeviceClock *>(shared);
        return static_cast<GstClockTime>(clock->lock()->at(monotonic_now()).count());
    };
    const auto destroy = [](gpointer shared) noexcept {
        delete static_cast<SharedDeviceClock *>(shared);
    };
    return gst_audio_clock_new("jkvmaudioclock", get_time, new SharedDeviceClock(device_clock),
                               destroy);
}

} // namespace jkvm
