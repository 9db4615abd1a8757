// SPDX-License-Identifier: LGPL-2.1-or-later
#include "supervisor_settings.h"

#include "common/properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

enum Property : guint {
    property_launch = 1,
    property_max_restarts,
    property_restart_window,
    property_restart_delay,
    property_max_restart_delay,
    property_hang_timeout,
    property_stop_timeout,
    property_on_failure,
    property_count,
};
static_assert(property_count == SupervisorSettings::own);

GType on_failure_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(OnFailure::error), "Stop with an error", "error"},
        {static_cast<int>(OnFailure::silence),
         "Go on without sound, and try again every max-restart-delay", "silence"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmSupervisedOnFailure", values);
    return type;
}

guint to_milliseconds(nanoseconds time)
{
    return static_cast<guint>(time / 1ms);
}

nanoseconds from_milliseconds(const GValue *value)
{
    return std::chrono::milliseconds(g_value_get_uint(value));
}

void install_time(GObjectClass *klass, guint id, const char *name, const char *nick,
                  const char *blurb, nanoseconds value)
{
    constexpr guint one_day = 24 * 60 * 60 * 1000;
    g_object_class_install_property(
        klass, id,
        g_param_spec_uint(name, nick, blurb, 0, one_day, to_milliseconds(value), mutable_ready));
}

} // namespace

void SupervisorSettings::install(GObjectClass *klass)
{
    const SupervisorSettings defaults;
    g_object_class_install_property(
        klass, property_launch,
        g_param_spec_string("launch", "Launch line",
                            "Pipeline description that the worker process runs, as gst-launch-1.0 "
                            "reads it (since 0.1)",
                            nullptr, mutable_ready));
    g_object_class_install_property(
        klass, property_max_restarts,
        g_param_spec_uint("max-restarts", "Maximum restarts",
                          "How often the worker is started again within restart-window (since 0.1)",
                          0, 1000, defaults.limits.max_restarts, mutable_ready));
    install_time(klass, property_restart_window, "restart-window", "Restart window",
                 "The time in which restarts count, in milliseconds (since 0.1)",
                 defaults.limits.window);
    install_time(klass, property_restart_delay, "restart-delay", "Restart delay",
                 "Before a worker that died young is started again, in milliseconds; doubles with "
                 "each further one. One that had lived is started again at once (since 0.1)",
                 defaults.limits.delay);
    install_time(klass, property_max_restart_delay, "max-restart-delay", "Maximum restart delay",
                 "What restart-delay doubles to, in milliseconds (since 0.1)",
                 defaults.limits.longest_delay);
    install_time(
        klass, property_hang_timeout, "hang-timeout", "Hang time-out",
        "A worker without a heartbeat for so long is killed, in milliseconds; one that has "
        "just been started has 10 s. There are ten a second on an idle machine. 0 = never (since "
        "0.1)",
        defaults.hang_timeout);
    install_time(klass, property_stop_timeout, "stop-timeout", "Stop time-out",
                 "How long a worker that is asked to end may take to complete what it writes, in "
                 "milliseconds; then it is killed (since 0.1)",
                 defaults.stop_timeout);
    g_object_class_install_property(
        klass, property_on_failure,
        g_param_spec_enum(
            "on-failure", "On failure", "What to do when max-restarts is reached (since 0.1)",
            on_failure_get_type(), static_cast<int>(OnFailure::error), mutable_ready));
}

bool SupervisorSettings::set(guint id, const GValue *value)
{
    switch (id) {
    case property_launch: {
        const char *text = g_value_get_string(value);
        launch = text != nullptr ? text : "";
        return true;
    }
    case property_max_restarts:
        limits.max_restarts = g_value_get_uint(value);
        return true;
    case property_restart_window:
        limits.window = from_milliseconds(value);
        return true;
    case property_restart_delay:
        limits.delay = from_milliseconds(value);
        return true;
    case property_max_restart_delay:
        limits.longest_delay = from_milliseconds(value);
        return true;
    case property_hang_timeout:
        hang_timeout = from_milliseconds(value);
        return true;
    case property_stop_timeout:
        stop_timeout = from_milliseconds(value);
        return true;
    case property_on_failure:
        on_failure = static_cast<OnFailure>(g_value_get_enum(value));
        return true;
    default:
        return false;
    }
}

bool SupervisorSettings::get(guint id, GValue *value) const
{
    switch (id) {
    case property_launch:
        g_value_set_string(value, launch.empty() ? nullptr : launch.c_str());
        return true;
    case property_max_restarts:
        g_value_set_uint(value, limits.max_restarts);
        return true;
    case property_restart_window:
        g_value_set_uint(value, to_milliseconds(limits.window));
        return true;
    case property_restart_delay:
        g_value_set_uint(value, to_milliseconds(limits.delay));
        return true;
    case property_max_restart_delay:
        g_value_set_uint(value, to_milliseconds(limits.longest_delay));
        return true;
    case property_hang_timeout:
        g_value_set_uint(value, to_milliseconds(hang_timeout));
        return true;
    case property_stop_timeout:
        g_value_set_uint(value, to_milliseconds(stop_timeout));
        return true;
    case property_on_failure:
        g_value_set_enum(value, static_cast<int>(on_failure));
        return true;
    default:
        return false;
    }
}

} // namespace jkvm
