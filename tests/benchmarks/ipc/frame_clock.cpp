// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/ipc/frame_clock.h"

struct FrameClock {
    GstClock parent;
    const jkvm::benchmark::Listener *listener;
};
struct FrameClockClass {
    GstClockClass parent;
};

G_DEFINE_TYPE(FrameClock, frame_clock, GST_TYPE_CLOCK)

static void frame_clock_class_init(FrameClockClass *klass)
{
    GST_CLOCK_CLASS(klass)->get_internal_time = [](GstClock *clock) noexcept {
        // Frames that were captured before the first arrival must not have negative times.
        constexpr auto start = GST_SECOND;
        constexpr auto duration =
            GstClockTime{std::chrono::nanoseconds(jkvm::benchmark::frame_duration).count()};
        return start + reinterpret_cast<FrameClock *>(clock)->listener->received() * duration;
    };
}

static void frame_clock_init(FrameClock *) {}

namespace jkvm::benchmark {

GstRef<GstClock> make_frame_clock(const Listener &listener)
{
    auto *clock = static_cast<FrameClock *>(g_object_new(frame_clock_get_type(), nullptr));
    clock->listener = &listener;
    return GstRef<GstClock>::adopt(GST_CLOCK(gst_object_ref_sink(clock)));
}

} // namespace jkvm::benchmark
