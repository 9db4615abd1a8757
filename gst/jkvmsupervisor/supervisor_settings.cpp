// SPDX-License-Identifier: LGPL-2.1-or-later
#include "supervisor_settings.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType on_failure_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(OnFailure::error), "Post an error", "error"},
        {static_cast<int>(OnFailure::silence),
         "Continue without audio, and retry every max-restart-delay", "silence"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmSupervisedOnFailure", values);
    return type;
}

} // namespace

const PropertyTable<SupervisorSettings> &supervisor_properties()
{
    using S = SupervisorSettings;
    using L = RestartLimits;
    constexpr std::chrono::milliseconds one_day = 24h;
    static const PropertyTable<S> table{
        row("launch", "Launch line",
            "Pipeline description that the worker runs, in the syntax of gst-launch-1.0; a running "
            "worker is replaced when it changes",
            AnyValue{}, mutable_playing, &S::launch),
        row("max-restarts", "Maximum restarts",
            "Maximum number of restarts within restart-window; 0 = never restart",
            between(0U, 1000U), mutable_ready, &S::limits, &L::max_restarts),
        row("restart-window", "Restart window", "Sliding window in which restarts count (ms)",
            between(0ms, one_day), mutable_ready, &S::limits, &L::window),
        row("restart-delay", "Restart delay",
            "Delay before the restart of a worker that ended within 500 ms of its first heartbeat; "
            "doubles with each further one in a row (ms)",
            between(0ms, one_day), mutable_ready, &S::limits, &L::delay),
        row("max-restart-delay", "Maximum restart delay", "Upper bound of the doubled delay (ms)",
            between(0ms, one_day), mutable_ready, &S::limits, &L::max_delay),
        row("hang-timeout", "Hang time-out",
            "Time without a heartbeat after which a worker is killed (ms); a new worker has at "
            "least 10 s; 0 = never",
            between(0ms, one_day), mutable_ready, &S::hang_timeout),
        row("stop-timeout", "Stop time-out",
            "Time that a worker has to complete its output after it was asked to stop; it is then "
            "killed (ms)",
            between(0ms, one_day), mutable_ready, &S::stop_timeout),
        row("on-failure", "On failure", "Action when max-restarts is reached",
            OneOf{on_failure_get_type()}, mutable_ready, &S::on_failure),
    };
    return table;
}

} // namespace jkvm
