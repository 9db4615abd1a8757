// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture_properties.h"

#include "common/properties.h"

namespace jkvm {

using namespace std::chrono_literals;

namespace {

enum Property : guint {
    property_device = first_capture_property,
    property_latency_time,
    property_buffer_time,
    property_provide_clock,
    property_slave_method,
    property_on_device_lost,
    property_mute,
    property_volume,
    property_priority,
    property_stats_interval,
};

constexpr double loudest = 10;

gint64 microseconds(nanoseconds time)
{
    return time / 1us;
}

} // namespace

void install_capture_properties(GObjectClass *object_class)
{
    const CaptureSettings defaults;
    const auto install = [object_class](guint id, GParamSpec *spec) {
        g_object_class_install_property(object_class, id, spec);
    };
    static const GEnumValue slave_methods[] = {
        {static_cast<int>(SlaveMethod::skew),
         "Timestamps follow the pipeline's clock by up to 2 ms a second", "skew"},
        {static_cast<int>(SlaveMethod::none), "Only samples are counted", "none"},
        {0, nullptr, nullptr},
    };
    static const GEnumValue lost_policies[] = {
        {static_cast<int>(OnDeviceLost::silence), "Silence, until there is a device again",
         "silence"},
        {static_cast<int>(OnDeviceLost::error), "An error", "error"},
        {static_cast<int>(OnDeviceLost::eos), "The end of the stream", "eos"},
        {0, nullptr, nullptr},
    };

    install(property_device,
            g_param_spec_string("device", "Device",
                                "ALSA's name of the capture device, as arecord -L lists them, or "
                                "the id or name of a card; several, separated by ';', are tried "
                                "in this order (since 0.1)",
                                defaults.device.c_str(), mutable_ready));
    install(property_latency_time,
            g_param_spec_int64("latency-time", "Latency time",
                               "Longest period that the device is asked for, in microseconds; a "
                               "shorter frame means a shorter period (since 0.1)",
                               1000, 60000, microseconds(defaults.latency_time), mutable_ready));
    install(property_buffer_time,
            g_param_spec_int64("buffer-time", "Buffer time",
                               "Size of the device's ring in microseconds: how long the pipeline "
                               "may be held up before samples are lost; no latency. Grows to "
                               "500000 where that happens often (since 0.1)",
                               40000, 2000000, microseconds(defaults.buffer_time), mutable_ready));
    install(property_provide_clock,
            g_param_spec_boolean("provide-clock", "Provide clock",
                                 "Offer the device's clock to the pipeline (since 0.1)", FALSE,
                                 mutable_ready));
    install(property_slave_method,
            g_param_spec_enum("slave-method", "Slave method",
                              "What becomes of a difference between the clocks of device and "
                              "pipeline (since 0.1)",
                              register_enum("GstJkvmAudioSlaveMethod", slave_methods),
                              static_cast<int>(SlaveMethod::skew), mutable_ready));
    install(property_on_device_lost,
            g_param_spec_enum("on-device-lost", "On device lost",
                              "What comes while there is no device that works (since 0.1)",
                              register_enum("GstJkvmAudioOnDeviceLost", lost_policies),
                              static_cast<int>(OnDeviceLost::silence), mutable_ready));
    install(property_mute,
            g_param_spec_boolean("mute", "Mute", "Silence (since 0.1)", FALSE, mutable_playing));
    install(property_volume,
            g_param_spec_double("volume", "Volume", "Factor, 1 = unchanged (since 0.1)", 0, loudest,
                                1, mutable_playing));
    install(property_priority,
            g_param_spec_int("priority", "Priority",
                             "SCHED_FIFO priority that the streaming thread asks for; where that "
                             "is not permitted it asks for a nice value of -10, then for nothing. "
                             "0 = do not ask (since 0.1)",
                             0, 99, defaults.priority, mutable_ready));
    install(property_stats_interval, StatsReport::property());
}

void set_capture_property(CaptureSettings &settings, guint id, const GValue *value)
{
    switch (id) {
    case property_device: {
        const char *device = g_value_get_string(value);
        settings.device = device != nullptr ? device : CaptureSettings().device;
        break;
    }
    case property_latency_time:
        settings.latency_time = std::chrono::microseconds(g_value_get_int64(value));
        break;
    case property_buffer_time:
        settings.buffer_time = std::chrono::microseconds(g_value_get_int64(value));
        break;
    case property_provide_clock:
        settings.provide_clock = g_value_get_boolean(value) != FALSE;
        break;
    case property_slave_method:
        settings.slave_method = static_cast<SlaveMethod>(g_value_get_enum(value));
        break;
    case property_on_device_lost:
        settings.on_device_lost = static_cast<OnDeviceLost>(g_value_get_enum(value));
        break;
    case property_mute:
        settings.mute = g_value_get_boolean(value) != FALSE;
        break;
    case property_volume:
        settings.volume = g_value_get_double(value);
        break;
    case property_priority:
        settings.priority = g_value_get_int(value);
        break;
    case property_stats_interval:
        settings.report_interval = std::chrono::milliseconds(g_value_get_uint(value));
        break;
    default:
        g_assert_not_reached();
    }
}

void get_capture_property(const CaptureSettings &settings, guint id, GValue *value)
{
    switch (id) {
    case property_device:
        g_value_set_string(value, settings.device.c_str());
        break;
    case property_latency_time:
        g_value_set_int64(value, microseconds(settings.latency_time));
        break;
    case property_buffer_time:
        g_value_set_int64(value, microseconds(settings.buffer_time));
        break;
    case property_provide_clock:
        g_value_set_boolean(value, settings.provide_clock);
        break;
    case property_slave_method:
        g_value_set_enum(value, static_cast<int>(settings.slave_method));
        break;
    case property_on_device_lost:
        g_value_set_enum(value, static_cast<int>(settings.on_device_lost));
        break;
    case property_mute:
        g_value_set_boolean(value, settings.mute);
        break;
    case property_volume:
        g_value_set_double(value, settings.volume);
        break;
    case property_priority:
        g_value_set_int(value, settings.priority);
        break;
    case property_stats_interval:
        g_value_set_uint(value, static_cast<guint>(settings.report_interval / 1ms));
        break;
    default:
        g_assert_not_reached();
    }
}

} // namespace jkvm
