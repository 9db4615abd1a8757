// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_clock.h"

#include "common/clocks.h"

#include <algorithm>

namespace jkvm {

StreamClock::~StreamClock()
{
    if (wait_ != nullptr)
        gst_clock_id_unref(wait_);
}

void StreamClock::start()
{
    is_running_ = true;
    wake();
}

void StreamClock::stop()
{
    now(); // the time at which it stands
    is_running_ = false;
    wake();
}

nanoseconds StreamClock::now()
{
    if (is_running_)
        now_ = std::max(now_, running_now(element_));
    return now_;
}

void StreamClock::wait_until(nanoseconds time, std::unique_lock<std::mutex> &lock)
{
    auto of = clock_of(element_);
    if (!of.clock)
        of.clock = GstRef<GstClock>::adopt(gst_system_clock_obtain());
    auto *const clock = of.clock.get();
    const auto when = static_cast<GstClockTime>(std::max<gint64>(of.base_time + time.count(), 0));
    if (wait_clock_.get() == clock) {
        gst_clock_single_shot_id_reinit(clock, wait_, when);
    } else {
        if (wait_ != nullptr)
            gst_clock_id_unref(wait_);
        wait_ = gst_clock_new_single_shot_id(clock, when);
        wait_clock_ = std::move(of.clock);
    }
    is_waiting_ = true;
    lock.unlock();
    // An id that was unscheduled before this returns at once.
    gst_clock_id_wait(wait_, nullptr);
    lock.lock();
    is_waiting_ = false;
}

void StreamClock::wake()
{
    if (is_waiting_)
        gst_clock_id_unschedule(wait_);
    woken_.notify_all();
}

} // namespace jkvm
