// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_clock.h"

#include "common/clocks.h"

#include <algorithm>

namespace jkvm {

StreamClock::~StreamClock()
{
    if (id_ != nullptr)
        gst_clock_id_unref(id_);
}

void StreamClock::start()
{
    is_running_ = true;
    wake();
}

void StreamClock::stop()
{
    now(); // the time that is reported while stopped
    is_running_ = false;
    wake();
}

nanoseconds StreamClock::now()
{
    if (is_running_)
        now_ = std::max(now_, running_now(element_));
    return now_;
}

GstClockID StreamClock::schedule(nanoseconds time)
{
    auto of = clock_of(element_);
    if (!of.clock)
        of.clock = GstRef<GstClock>::adopt(gst_system_clock_obtain());
    auto *const clock = of.clock.get();
    const auto when = static_cast<GstClockTime>(std::max<gint64>(of.base_time + time.count(), 0));
    if (id_clock_.get() == clock) {
        gst_clock_single_shot_id_reinit(clock, id_, when);
    } else {
        if (id_ != nullptr)
            gst_clock_id_unref(id_);
        id_ = gst_clock_new_single_shot_id(clock, when);
        id_clock_ = std::move(of.clock);
    }
    return id_;
}

void StreamClock::wake()
{
    if (is_waiting_)
        gst_clock_id_unschedule(id_);
    woken_.notify_all();
}

} // namespace jkvm
