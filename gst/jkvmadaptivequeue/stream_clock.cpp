// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_clock.h"

#include <algorithm>

namespace jkvm {

namespace {

/// A pipeline that was told to do without a clock gets the system's.
GstRef<GstClock> clock_of(GstElement *element)
{
    auto *clock = gst_element_get_clock(element);
    return GstRef<GstClock>::adopt(clock != nullptr ? clock : gst_system_clock_obtain());
}

} // namespace

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
    if (is_running_) {
        const auto clock = clock_of(element_);
        const nanoseconds running(
            GST_CLOCK_DIFF(gst_element_get_base_time(element_), gst_clock_get_time(clock.get())));
        now_ = std::max(now_, running);
    }
    return now_;
}

void StreamClock::wait_until(nanoseconds time, std::unique_lock<std::mutex> &lock)
{
    const auto clock = clock_of(element_);
    const auto absolute = std::max<gint64>(
        static_cast<gint64>(gst_element_get_base_time(element_)) + time.count(), 0);
    wait_ = gst_clock_new_single_shot_id(clock.get(), static_cast<GstClockTime>(absolute));
    auto *const id = wait_;
    lock.unlock();
    // An id that was unscheduled before this returns at once.
    gst_clock_id_wait(id, nullptr);
    lock.lock();
    wait_ = nullptr;
    gst_clock_id_unref(id);
}

void StreamClock::wake()
{
    if (wait_ != nullptr)
        gst_clock_id_unschedule(wait_);
    woken_.notify_all();
}

} // namespace jkvm
