// SPDX-License-Identifier: LGPL-2.1-or-later
#include "queue_stats.h"

#include "common/clocks.h"
#include "common/latency_fields.h"

#include <cmath>

namespace jkvm {

QueueStats collect_stats(const QueueContext &context)
{
    const auto load = context.load->measure();
    const auto access = context.state.lock();
    auto &state = *access;
    const auto &optimizer = state.encoder_load.optimizer();
    return {.playout = state.playout->stats(),
            .dropped_new = state.dropped_new,
            .sink_follows = state.sink_follows,
            .frame_duration = state.classifier.last_duration(),
            .lateness = state.playout->lateness(),
            .latency = state.latency,
            .load = load,
            .optimization_level = optimizer.level(),
            .optimizations = optimizer.changes(),
            .last_optimization = optimizer.last_change(),
            .settings = state.settings,
            .now = {state.clock.now(), wall_now()}};
}

namespace {

Fields playout_fields(const PlayoutStats &playout, std::uint64_t dropped_new)
{
    const auto &dropped = playout.dropped;
    Fields fields;
    fields.set("stretch-ppm", playout.stretch_ppm)
        .set("current-delay", playout.delay)
        .set("target-delay", playout.target_delay)
        .set("offset", gint64{playout.offset.count()})
        .set("depth", static_cast<guint>(playout.queued_frames))
        .set("depth-time", playout.queued_time)
        .set("transit-min", gint64{playout.transit.minimum.count()})
        .set("transit-p50", gint64{playout.transit.median.count()})
        .set("transit-p95", gint64{playout.transit.p95.count()})
        .set("transit-max", gint64{playout.transit.maximum.count()})
        .set("drift-ppm", playout.drift_ppm)
        .set("frames", playout.arrived)
        .set("played", playout.played)
        .set("late", playout.late)
        .set("underruns", playout.underruns)
        .set("concealed", playout.concealed)
        .set("inserted", playout.inserted)
        .set("paused", playout.paused)
        .set("dropped", dropped.late + dropped.shrink + dropped.shrink_quiet + dropped.max_delay +
                            dropped.overflow + dropped_new)
        .set("dropped-late", dropped.late)
        .set("dropped-shrink", dropped.shrink)
        .set("dropped-shrink-quiet", dropped.shrink_quiet)
        .set("dropped-max-delay", dropped.max_delay)
        .set("dropped-overflow", dropped.overflow)
        .set("dropped-new", dropped_new);
    return fields;
}

/// Load of the machine, which every policy reports.
Fields load_fields(const LoadSample &load)
{
    return std::move(Fields()
                         .set("system_cpu_percent", load.cpu_percent)
                         .set("system_memory_percent", load.memory_percent));
}

/// Result of the last step of policy=weighted, and its inputs besides the load.
Fields weighted_fields(const WeightedPolicy::Inputs &weighted)
{
    Fields fields;
    fields.set("average_latency_ms", weighted.latency_ms)
        .set("cpu-factor", weighted.cpu_factor)
        .set("memory-factor", weighted.memory_factor)
        .set("latency-factor", weighted.latency_factor)
        .set("factor", weighted.factor)
        .set("size", weighted.size_frames);
    return fields;
}

} // namespace

GstStructure *QueueStats::release() const
{
    // JetKVM's record has a size for each direction; this queue serves only one.
    const auto size = static_cast<guint>(
        settings.playout.policy == PolicyKind::weighted
            ? std::lround(playout.weighted.size_frames)
            : std::lround(milliseconds_of(playout.target_delay) / milliseconds_of(frame_duration)));
    const auto last_adaptation = playout.adaptations > 0
                                     ? now.wall_of(playout.last_adaptation).time_since_epoch()
                                     : nanoseconds(0);
    const auto last_change =
        last_optimization ? now.wall_of(*last_optimization).time_since_epoch() : nanoseconds(0);
    return Fields()
        .set("policy", settings.policy_nick())
        .set("latency-mode", settings.latency_mode_nick())
        .set("adapt", settings.adapt_nick())
        .set("adapt-in-use",
             settings.adapt_mode(sink_follows) == AdaptMode::slew ? "slew" : "frames")
        .append(playout_fields(playout, dropped_new))
        .set("adaptation_count", playout.adaptations)
        .set("last_adaptation", last_adaptation)
        .set("input_buffer_size", size)
        .set("output_buffer_size", size)
        .append(load_fields(load.value_or(LoadSample{})))
        .append(weighted_fields(playout.weighted))
        .append(latency_fields(latency))
        .append(histogram_fields(latency.histogram()))
        .set("lateness", lateness)
        .set("optimization_level", optimization_level)
        .set("optimization_count", optimizations)
        .set("last_optimization", last_change)
        .set("scheduling", std::string(name_of(scheduling)))
        .release("application/x-jkvm-adaptivequeue-stats");
}

} // namespace jkvm
