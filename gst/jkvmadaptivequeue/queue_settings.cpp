// SPDX-License-Identifier: LGPL-2.1-or-later
#include "queue_settings.h"

#include <cstdint>
#include <limits>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

const GEnumValue policies[] = {
    {static_cast<int>(PolicyKind::tail_cost),
     "Minimises the cost of the delay plus that of the frames expected to be late", "tail-cost"},
    {static_cast<int>(PolicyKind::weighted),
     "Follows processor load, memory and latency like the JetKVM audio system", "weighted"},
    {static_cast<int>(PolicyKind::fixed), "Keeps a constant delay", "fixed"},
    {0, nullptr, nullptr},
};

const GEnumValue drift_modes[] = {
    {static_cast<int>(DriftMode::pts), "Timestamps follow the sender's clock continuously", "pts"},
    {static_cast<int>(DriftMode::frames),
     "Timestamps advance by whole frames; a frame is dropped or concealed when needed", "frames"},
    {0, nullptr, nullptr},
};

const GEnumValue adapt_modes[] = {
    {static_cast<int>(Adapt::automatic),
     "slew if the sink follows timestamps, which jkvmaudiosink does; otherwise frames", "auto"},
    {static_cast<int>(Adapt::frames), "Frames are dropped or concealed", "frames"},
    {static_cast<int>(Adapt::slew), "Timestamps are stretched by up to 0.5 %; the sink resamples",
     "slew"},
    {0, nullptr, nullptr},
};

const GEnumValue latency_modes[] = {
    {static_cast<int>(LatencyMode::offset),
     "The delay is added to the timestamps; the reported latency is constant", "offset"},
    {static_cast<int>(LatencyMode::reported),
     "The delay is added to the reported latency; timestamps are not changed", "reported"},
    {static_cast<int>(LatencyMode::fixed), "Like reported, with a constant delay of max-delay",
     "fixed"},
    {0, nullptr, nullptr},
};

const GEnumValue leaks[] = {
    {static_cast<int>(Leak::no), "Upstream is blocked until there is room", "no"},
    {static_cast<int>(Leak::upstream), "New buffers are dropped", "upstream"},
    {static_cast<int>(Leak::downstream), "The oldest buffers are dropped", "downstream"},
    {0, nullptr, nullptr},
};

const PropertyTable<PlayoutConfig> &playout_properties()
{
    using P = PlayoutConfig;
    static const PropertyTable<P> table{
        row("policy", "Policy", "Policy that chooses the playout delay",
            OneOf{register_enum("GstJkvmAdaptiveQueuePolicy", policies)}, mutable_playing,
            &P::policy),
        row("drift-mode", "Drift mode",
            "How the difference between the sender's clock and the pipeline's clock is absorbed",
            OneOf{register_enum("GstJkvmAdaptiveQueueDriftMode", drift_modes)}, mutable_playing,
            &P::drift_mode),
        row("min-delay", "Minimum delay",
            "Lower bound of the playout delay above the minimum transit of the last 64 s (ms)",
            between(0ms, 10s), mutable_playing, &P::min_delay),
        row("max-delay", "Maximum delay",
            "Upper bound of the playout delay above the minimum transit of the last 64 s (ms); "
            "with latency-mode=fixed it is the delay",
            between(0ms, 10s), mutable_playing, &P::max_delay),
        row("delay", "Delay",
            "Playout delay of policy=fixed above the minimum transit of the last 64 s (ms)",
            between(0ms, 10s), mutable_playing, &P::fixed, &FixedDelayConfig::delay),
        row("late-cost", "Late cost",
            "Delay that costs policy=tail-cost as much as every frame being late (ms); one late "
            "frame in 1000 costs a thousandth of it",
            between(1.0, 1e6), mutable_playing, &P::tail_cost, &TailCostConfig::late_cost),
    };
    return table;
}

const PropertyTable<WeightedConfig> &weighted_properties()
{
    using W = WeightedConfig;
    using Input = WeightedConfig::Input;
    constexpr auto flags = mutable_playing;
    constexpr auto frames = between(1.0, 200.0);
    constexpr auto percent = between(0.0, 100.0);
    constexpr auto share = between(0.0, 1.0);
    static const PropertyTable<W> table{
        row("weighted-interval", "Weighted: interval",
            "Interval between two changes of the size by policy=weighted (ms)", between(1ms, 60s),
            flags, &W::interval),
        row("weighted-min-frames", "Weighted: minimum size",
            "Minimum size of policy=weighted (frames)", frames, flags, &W::min_frames),
        row("weighted-max-frames", "Weighted: maximum size",
            "Maximum size of policy=weighted (frames)", frames, flags, &W::max_frames),
        row("weighted-start-frames", "Weighted: initial size",
            "Size of policy=weighted at the start of a stream (frames)", frames, flags,
            &W::start_frames),
        row("weighted-smoothing", "Weighted: smoothing",
            "Share of the distance to its target that policy=weighted covers in one step (0 to 1)",
            share, flags, &W::smoothing),
        row("weighted-cpu-low", "Weighted: processor, low",
            "Processor load below which its factor is 1 (%)", percent, flags, &W::cpu, &Input::low),
        row("weighted-cpu-high", "Weighted: processor, high",
            "Processor load above which its factor is -1 (%)", percent, flags, &W::cpu,
            &Input::high),
        row("weighted-cpu-weight", "Weighted: processor, weight",
            "Weight of the processor load's factor (0 to 1)", share, flags, &W::cpu,
            &Input::weight),
        row("weighted-memory-low", "Weighted: memory, low",
            "Memory usage below which its factor is 1 (%)", percent, flags, &W::memory,
            &Input::low),
        row("weighted-memory-high", "Weighted: memory, high",
            "Memory usage above which its factor is -1 (%)", percent, flags, &W::memory,
            &Input::high),
        row("weighted-memory-weight", "Weighted: memory, weight",
            "Weight of the memory usage's factor (0 to 1)", share, flags, &W::memory,
            &Input::weight),
        row("weighted-latency-low", "Weighted: latency, low",
            "Latency below which its factor is 1 (ms)", between(0.0, 10000.0), flags, &W::latency,
            &Input::low),
        row("weighted-latency-high", "Weighted: latency, high",
            "Latency above which its factor is -1 (ms)", between(0.0, 10000.0), flags, &W::latency,
            &Input::high),
        row("weighted-latency-weight", "Weighted: latency, weight",
            "Weight of the latency's factor (0 to 1)", share, flags, &W::latency, &Input::weight),
        row("weighted-fractional-size", "Weighted: fractional size",
            "Whether policy=weighted keeps the fraction of its size, so that it does not stop "
            "short "
            "of its target",
            AnyValue{}, flags, &W::fractional_size),
        row("weighted-queue-latency", "Weighted: queue latency",
            "Whether policy=weighted uses the time spent in this queue as the latency, not that of "
            "the path to it",
            AnyValue{}, flags, &W::queue_latency),
    };
    return table;
}

const PropertyTable<OptimizerConfig> &optimizer_properties()
{
    using O = OptimizerConfig;
    using T = OptimizerThresholds;
    constexpr auto flags = mutable_playing;
    constexpr auto step = between(1U, max_optimization_level);
    constexpr auto lateness = between(0ms, 1min);
    static const PropertyTable<O> table{
        row("optimize-interval", "Optimize: interval",
            "Interval between two evaluations of the lateness by optimize (ms)",
            between(1ms, 10min), flags, &O::interval),
        row("optimize-cool-down", "Optimize: cool-down",
            "Minimum time between two changes of the encoder's settings by optimize (ms)",
            between(0ms, 10min), flags, &O::cool_down),
        row("optimize-target", "Optimize: target",
            "Lateness that optimize tolerates: its level is 1.4 times the lateness divided by this "
            "(ms)",
            between(1ms, 1min), flags, &O::target),
        row("optimize-evaluations", "Optimize: evaluations",
            "Number of consecutive evaluations that have to agree before optimize changes the "
            "level",
            between(1U, O::maximum_evaluations), flags, &O::evaluations),
        row("optimize-min-samples", "Optimize: minimum samples",
            "Minimum number of frames of a stream before optimize changes the level (frames)",
            between(1U, 1000000U), flags, &O::minimum_samples),
        row("optimize-raise-step", "Optimize: raise step",
            "Maximum number of levels by which optimize reduces the encoder's load at once", step,
            flags, &O::raise_step),
        row("optimize-lower-step", "Optimize: lower step",
            "Maximum number of levels by which optimize restores the encoder's load at once", step,
            flags, &O::lower_step),
        row("optimize-margin", "Optimize: margin",
            "Part of a level by which the lateness has to be lower before optimize lowers the "
            "level (0 to 1)",
            between(0.0, 1.0), flags, &O::margin),
        row("optimize-current-threshold", "Optimize: current threshold",
            "Lateness of the last frame above which optimize may raise the level (ms); 0 = off. "
            "With all thresholds off it may always",
            lateness, flags, &O::thresholds, &T::current),
        row("optimize-average-threshold", "Optimize: average threshold",
            "Average lateness above which optimize may raise the level (ms); 0 = off", lateness,
            flags, &O::thresholds, &T::average),
        row("optimize-jitter-threshold", "Optimize: jitter threshold",
            "Jitter of the lateness above which optimize may raise the level (ms); 0 = off",
            lateness, flags, &O::thresholds, &T::jitter),
    };
    return table;
}

PropertyTable<PlayoutConfig> all_playout_properties()
{
    return PropertyTable<PlayoutConfig>(playout_properties())
        .include(weighted_properties(), &PlayoutConfig::weighted);
}

PropertyTable<QueueSettings> make_table()
{
    using S = QueueSettings;
    return PropertyTable<S>{
        row("adapt", "Adapt",
            "How the playout delay is changed; latency-mode reported and fixed always change it by "
            "frames",
            OneOf{register_enum("GstJkvmAdaptiveQueueAdapt", adapt_modes)}, mutable_playing,
            &S::adapt),
        row("latency-mode", "Latency mode",
            "Where the playout delay is accounted for: in the timestamps or in the reported "
            "latency",
            OneOf{register_enum("GstJkvmAdaptiveQueueLatencyMode", latency_modes)}, mutable_playing,
            &S::latency_mode),
        row("output-margin", "Output margin",
            "Part of the reported latency that allows for a late wake-up of this element's thread "
            "(ms)",
            between(0ms, 1s), mutable_playing, &S::output_margin),
        row("leaky", "Leaky", "Where the queue leaks when it is full",
            OneOf{register_enum("GstJkvmAdaptiveQueueLeaky", leaks)}, mutable_playing, &S::leak),
        row("max-size-buffers", "Maximum buffers",
            "Maximum number of buffers in the queue; 0 and values above 1023 = 1023",
            between(0U, std::numeric_limits<unsigned>::max()), mutable_playing, &S::max_buffers),
        row("max-size-bytes", "Maximum bytes",
            "Maximum amount of data in the queue (bytes); 0 = unlimited",
            between(0U, std::numeric_limits<unsigned>::max()), mutable_playing, &S::max_bytes),
        row("max-size-time", "Maximum time",
            "Maximum duration of the audio in the queue (ns); 0 = unlimited",
            between(0ns, nanoseconds::max()), mutable_playing, &S::max_time),
        row("optimize", "Optimize",
            "Whether to request a lower encoder load from the sender while its frames arrive late",
            AnyValue{}, mutable_playing, &S::is_optimizer_enabled),
        row("silent", "Silent", "Whether the element emits no signals", AnyValue{}, mutable_playing,
            &S::is_silent),
        priority_row(&S::priority),
        stats_interval_row(&S::report_interval),
    }
        .include(optimizer_properties(), &S::optimizer)
        .include(latency_properties(), &S::latency)
        .include(all_playout_properties(), &S::playout);
}

} // namespace

const PropertyTable<QueueSettings> &queue_properties()
{
    static const auto table = make_table();
    return table;
}

AdaptMode QueueSettings::adapt_mode(bool sink_follows) const
{
    const bool slews = adapt == Adapt::slew || (adapt == Adapt::automatic && sink_follows);
    // Otherwise the timestamps do not contain the delay.
    return slews && latency_mode == LatencyMode::offset ? AdaptMode::slew : AdaptMode::frames;
}

PlayoutConfig QueueSettings::playout_config(bool sink_follows) const
{
    auto config = playout;
    config.adapt = adapt_mode(sink_follows);
    config.max_frames = max_buffers > 0 ? max_buffers : FrameRing::capacity - 1;
    config.max_bytes = max_bytes > 0 ? max_bytes : SIZE_MAX;
    config.max_time = max_time > 0ns ? max_time : nanoseconds::max();
    if (latency_mode == LatencyMode::fixed) {
        config.policy = PolicyKind::fixed;
        config.fixed.delay = config.max_delay;
    }
    return config;
}

const char *QueueSettings::policy_nick() const
{
    return policies[static_cast<std::size_t>(playout.policy)].value_nick;
}

const char *QueueSettings::adapt_nick() const
{
    return adapt_modes[static_cast<std::size_t>(adapt)].value_nick;
}

const char *QueueSettings::latency_mode_nick() const
{
    return latency_modes[static_cast<std::size_t>(latency_mode)].value_nick;
}

} // namespace jkvm
