// SPDX-License-Identifier: LGPL-2.1-or-later
#include "queue_settings.h"

#include "common/properties.h"

#include <array>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

// Most properties differ in their name and place only: those are rows of a table.

struct TimeProperty { // in milliseconds
    const char *name;
    const char *nick;
    const char *blurb;
    guint least;
    guint most;
    nanoseconds &(*of)(QueueSettings &);
};

struct NumberProperty {
    const char *name;
    const char *nick;
    const char *blurb;
    double least;
    double most;
    double &(*of)(QueueSettings &);
};

struct SwitchProperty {
    const char *name;
    const char *nick;
    const char *blurb;
    bool &(*of)(QueueSettings &);
};

using Settings = QueueSettings;

constexpr std::array times{
    TimeProperty{"min-delay", "Least delay",
                 "The delay is not made less than this, in milliseconds above the least transit "
                 "of the last minute",
                 0, 10000, [](Settings &s) -> auto &{return s.playout.min_delay;
} // namespace
} // namespace jkvm
, TimeProperty{"max-delay", "Most delay",
               "The delay is not made more than this, in milliseconds above the least transit "
               "of the last minute; with latency-mode=fixed it is the delay",
               0, 10000, [](Settings &s) -> auto &{return s.playout.max_delay;
}
}
, TimeProperty{"delay", "Delay",
               "What policy=fixed keeps, in milliseconds above the least transit of the last "
               "minute",
               0, 10000, [](Settings &s) -> auto &{return s.playout.fixed.delay;
}
}
, TimeProperty{"output-margin", "Output margin",
               "How late this element's own thread may be woken, in milliseconds; part of the "
               "reported latency",
               0, 1000, [](Settings &s) -> auto &{return s.output_margin;
}
}
, TimeProperty{"weighted-interval", "Weighted: interval",
               "How often policy=weighted changes its size, in milliseconds", 1, 60000,
               [](Settings &s) -> auto &{return s.playout.weighted.interval;
}
}
, TimeProperty{"optimize-interval", "Optimize: interval",
               "How often optimize asks how late the sound comes, in milliseconds; it acts on two "
               "answers that agree",
               1, 600000, [](Settings &s) -> auto &{return s.optimizer.interval;
}
}
, TimeProperty{"optimize-cool-down", "Optimize: cool-down",
               "How long optimize leaves the encoder alone after it has changed it, in "
               "milliseconds",
               0, 600000, [](Settings &s) -> auto &{return s.optimizer.cool_down;
}
}
,
}
;

constexpr std::array numbers{
    NumberProperty{"late-cost", "Cost of being late",
                   "For policy=tail-cost: how many milliseconds of delay are worth as much as "
                   "every frame being late; 1 frame of 1000 costs a thousandth",
                   1, 1e6, [](Settings &s) -> auto &{return s.playout.tail_cost.late_cost;
}
}
, NumberProperty{"weighted-min-frames", "Weighted: least size",
                 "Least size of policy=weighted, in frames", 1, 200,
                 [](Settings &s) -> auto &{return s.playout.weighted.min_frames;
}
}
, NumberProperty{"weighted-max-frames", "Weighted: most size",
                 "Most size of policy=weighted, in frames", 1, 200,
                 [](Settings &s) -> auto &{return s.playout.weighted.max_frames;
}
}
, NumberProperty{"weighted-start-frames", "Weighted: first size",
                 "Size that policy=weighted begins a stream with, in frames", 1, 200,
                 [](Settings &s) -> auto &{return s.playout.weighted.start_frames;
}
}
, NumberProperty{"weighted-smoothing", "Weighted: smoothing",
                 "What part of the way to its target policy=weighted goes in one step", 0, 1,
                 [](Settings &s) -> auto &{return s.playout.weighted.smoothing;
}
}
, NumberProperty{"weighted-cpu-low", "Weighted: processor, low",
                 "Processor load below which the factor is 1, in percent", 0, 100,
                 [](Settings &s) -> auto &{return s.playout.weighted.cpu.low;
}
}
, NumberProperty{"weighted-cpu-high", "Weighted: processor, high",
                 "Processor load above which the factor is -1, in percent", 0, 100,
                 [](Settings &s) -> auto &{return s.playout.weighted.cpu.high;
}
}
, NumberProperty{"weighted-cpu-weight", "Weighted: processor, weight",
                 "Weight of the processor load's factor", 0, 1,
                 [](Settings &s) -> auto &{return s.playout.weighted.cpu.weight;
}
}
, NumberProperty{"weighted-memory-low", "Weighted: memory, low",
                 "Use of memory below which the factor is 1, in percent", 0, 100,
                 [](Settings &s) -> auto &{return s.playout.weighted.memory.low;
}
}
, NumberProperty{"weighted-memory-high", "Weighted: memory, high",
                 "Use of memory above which the factor is -1, in percent", 0, 100,
                 [](Settings &s) -> auto &{return s.playout.weighted.memory.high;
}
}
, NumberProperty{"weighted-memory-weight", "Weighted: memory, weight",
                 "Weight of the memory's factor", 0, 1,
                 [](Settings &s) -> auto &{return s.playout.weighted.memory.weight;
}
}
, NumberProperty{"weighted-latency-low", "Weighted: latency, low",
                 "Latency below which the factor is 1, in milliseconds", 0, 10000,
                 [](Settings &s) -> auto &{return s.playout.weighted.latency.low;
}
}
, NumberProperty{"weighted-latency-high", "Weighted: latency, high",
                 "Latency above which the factor is -1, in milliseconds", 0, 10000,
                 [](Settings &s) -> auto &{return s.playout.weighted.latency.high;
}
}
, NumberProperty{"weighted-latency-weight", "Weighted: latency, weight",
                 "Weight of the latency's factor", 0, 1,
                 [](Settings &s) -> auto &{return s.playout.weighted.latency.weight;
}
}
,
}
;

constexpr std::array switches{
    SwitchProperty{"weighted-fractional-size", "Weighted: fractional size",
                   "Whether policy=weighted keeps parts of a frame in its size, so that it does "
                   "not get stuck on the way",
                   [](Settings &s) -> auto &{return s.playout.weighted.fractional_size;
}
}
, SwitchProperty{"weighted-queue-latency", "Weighted: latency of the queue",
                 "Whether policy=weighted takes the time in this queue for the latency, not "
                 "that of the way here",
                 [](Settings &s) -> auto &{return s.playout.weighted.queue_latency;
}
}
, SwitchProperty{"optimize", "Optimize",
                 "Whether the sender's encoder is asked to save while its sound comes late",
                 [](Settings &s) -> auto &{return s.optimizes;
}
}
, SwitchProperty{"silent", "Silent", "Whether no signals are emitted",
                 [](Settings &s) -> auto &{return s.is_silent;
}
}
,
}
;

enum Property : guint {
    property_policy = 1,
    property_drift_mode,
    property_latency_mode,
    property_leaky,
    property_max_size_buffers,
    property_max_size_bytes,
    property_max_size_time,
    property_stats_interval,
    first_time,
    first_number = first_time + times.size(),
    first_switch = first_number + numbers.size(),
    property_count = first_switch + switches.size(),
};
static_assert(property_count == QueueSettings::own);

template <typename Table>
const typename Table::value_type *row(const Table &table, guint first, guint id)
{
    return id >= first && id < first + table.size() ? &table[id - first] : nullptr;
}

const GEnumValue policies[] = {
    {static_cast<int>(PolicyKind::tail_cost),
     "The delay whose cost, with that of the frames that would be late, is least", "tail-cost"},
    {static_cast<int>(PolicyKind::weighted), "By the machine's load: processor, memory, latency",
     "weighted"},
    {static_cast<int>(PolicyKind::fixed), "Always the same delay", "fixed"},
    {0, nullptr, nullptr},
};

const GEnumValue drift_modes[] = {
    {static_cast<int>(DriftMode::pts), "The output's timestamps follow the sender's clock, evenly",
     "pts"},
    {static_cast<int>(DriftMode::frames),
     "Whole frames apart; now and then one is dropped or concealed", "frames"},
    {0, nullptr, nullptr},
};

const GEnumValue latency_modes[] = {
    {static_cast<int>(LatencyMode::offset),
     "The delay is in the timestamps, the reported latency constant", "offset"},
    {static_cast<int>(LatencyMode::reported),
     "The delay is in the reported latency, timestamps stay as they are", "reported"},
    {static_cast<int>(LatencyMode::fixed), "As reported, but the delay is always max-delay",
     "fixed"},
    {0, nullptr, nullptr},
};

const GEnumValue leaks[] = {
    {static_cast<int>(Leak::no), "Nothing leaks: upstream waits for room", "no"},
    {static_cast<int>(Leak::upstream), "New buffers are dropped", "upstream"},
    {static_cast<int>(Leak::downstream), "Old buffers are dropped", "downstream"},
    {0, nullptr, nullptr},
};

void install_enum(GObjectClass *klass, guint id, const char *type_name, const GEnumValue *values,
                  int initial, const char *name, const char *nick, const char *blurb)
{
    g_object_class_install_property(klass, id,
                                    g_param_spec_enum(name, nick, blurb,
                                                      register_enum(type_name, values), initial,
                                                      mutable_playing));
}

guint milliseconds(nanoseconds time)
{
    return static_cast<guint>(time / 1ms);
}

} // namespace

void QueueSettings::install(GObjectClass *klass)
{
    QueueSettings initial;
    install_enum(klass, property_policy, "GstJkvmAdaptiveQueuePolicy", policies,
                 static_cast<int>(initial.playout.policy), "policy", "Policy",
                 "What decides how long the delay is");
    install_enum(klass, property_drift_mode, "GstJkvmAdaptiveQueueDriftMode", drift_modes,
                 static_cast<int>(initial.playout.drift_mode), "drift-mode", "Drift mode",
                 "What becomes of the difference between the sender's clock and ours");
    install_enum(klass, property_latency_mode, "GstJkvmAdaptiveDelayReportMode", latency_modes,
                 static_cast<int>(initial.latency_mode), "latency-mode", "Latency mode",
                 "How the pipeline is told of the delay");
    install_enum(klass, property_leaky, "GstJkvmAdaptiveQueueLeaky", leaks,
                 static_cast<int>(initial.leak), "leaky", "Leaky",
                 "Where the queue leaks when it is full");
    g_object_class_install_property(
        klass, property_max_size_buffers,
        g_param_spec_uint("max-size-buffers", "Most buffers",
                          "Most buffers in the queue; 0 and more than 1023 = 1023", 0, G_MAXUINT,
                          initial.max_buffers, mutable_playing));
    g_object_class_install_property(
        klass, property_max_size_bytes,
        g_param_spec_uint("max-size-bytes", "Most bytes", "Most bytes in the queue; 0 = unlimited",
                          0, G_MAXUINT, initial.max_bytes, mutable_playing));
    g_object_class_install_property(
        klass, property_max_size_time,
        g_param_spec_uint64("max-size-time", "Most time",
                            "Most sound in the queue, in nanoseconds; 0 = unlimited", 0, G_MAXINT64,
                            static_cast<guint64>(initial.max_time.count()), mutable_playing));
    g_object_class_install_property(klass, property_stats_interval, StatsReport::property());
    guint id = first_time;
    for (const auto &p : times)
        g_object_class_install_property(klass, id++,
                                        g_param_spec_uint(p.name, p.nick, p.blurb, p.least, p.most,
                                                          milliseconds(p.of(initial)),
                                                          mutable_playing));
    for (const auto &p : numbers)
        g_object_class_install_property(klass, id++,
                                        g_param_spec_double(p.name, p.nick, p.blurb, p.least,
                                                            p.most, p.of(initial),
                                                            mutable_playing));
    for (const auto &p : switches)
        g_object_class_install_property(klass, id++,
                                        g_param_spec_boolean(p.name, p.nick, p.blurb,
                                                             static_cast<gboolean>(p.of(initial)),
                                                             mutable_playing));
}

bool QueueSettings::set(guint id, const GValue *value)
{
    switch (id) {
    case property_policy:
        playout.policy = static_cast<PolicyKind>(g_value_get_enum(value));
        return true;
    case property_drift_mode:
        playout.drift_mode = static_cast<DriftMode>(g_value_get_enum(value));
        return true;
    case property_latency_mode:
        latency_mode = static_cast<LatencyMode>(g_value_get_enum(value));
        return true;
    case property_leaky:
        leak = static_cast<Leak>(g_value_get_enum(value));
        return true;
    case property_max_size_buffers:
        max_buffers = g_value_get_uint(value);
        return true;
    case property_max_size_bytes:
        max_bytes = g_value_get_uint(value);
        return true;
    case property_max_size_time:
        max_time = nanoseconds(g_value_get_uint64(value));
        return true;
    case property_stats_interval:
        report_interval = std::chrono::milliseconds(g_value_get_uint(value));
        return true;
    default:
        break;
    }
    if (const auto *time = row(times, first_time, id))
        time->of(*this) = std::chrono::milliseconds(g_value_get_uint(value));
    else if (const auto *number = row(numbers, first_number, id))
        number->of(*this) = g_value_get_double(value);
    else if (const auto *toggle = row(switches, first_switch, id))
        toggle->of(*this) = g_value_get_boolean(value) != FALSE;
    else
        return false;
    return true;
}

bool QueueSettings::get(guint id, GValue *value)
{
    switch (id) {
    case property_policy:
        g_value_set_enum(value, static_cast<int>(playout.policy));
        return true;
    case property_drift_mode:
        g_value_set_enum(value, static_cast<int>(playout.drift_mode));
        return true;
    case property_latency_mode:
        g_value_set_enum(value, static_cast<int>(latency_mode));
        return true;
    case property_leaky:
        g_value_set_enum(value, static_cast<int>(leak));
        return true;
    case property_max_size_buffers:
        g_value_set_uint(value, max_buffers);
        return true;
    case property_max_size_bytes:
        g_value_set_uint(value, max_bytes);
        return true;
    case property_max_size_time:
        g_value_set_uint64(value, static_cast<guint64>(max_time.count()));
        return true;
    case property_stats_interval:
        g_value_set_uint(value, milliseconds(report_interval));
        return true;
    default:
        break;
    }
    if (const auto *time = row(times, first_time, id))
        g_value_set_uint(value, milliseconds(time->of(*this)));
    else if (const auto *number = row(numbers, first_number, id))
        g_value_set_double(value, number->of(*this));
    else if (const auto *toggle = row(switches, first_switch, id))
        g_value_set_boolean(value, static_cast<gboolean>(toggle->of(*this)));
    else
        return false;
    return true;
}

PlayoutConfig QueueSettings::playout_config() const
{
    auto config = playout;
    config.max_frames = max_buffers > 0 ? max_buffers : Playout::capacity;
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

const char *QueueSettings::latency_mode_nick() const
{
    return latency_modes[static_cast<std::size_t>(latency_mode)].value_nick;
}

} // namespace jkvm
