// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties that say from what and how sound is captured.
#pragma once

#include "common/stats_report.h"
#include "core/base/time.h"

#include <gst/gst.h>

#include <string>

namespace jkvm {

enum class SlaveMethod { skew, none };
enum class OnDeviceLost { silence, error, eos };

struct CaptureSettings {
    std::string device = "hw:0,0";
    nanoseconds latency_time = std::chrono::milliseconds(10);
    nanoseconds buffer_time = std::chrono::milliseconds(80);
    bool provide_clock = false;
    SlaveMethod slave_method = SlaveMethod::skew;
    OnDeviceLost on_device_lost = OnDeviceLost::silence;
    bool mute = false;
    double volume = 1;
    int priority = 80;
    nanoseconds report_interval = StatsReport::default_interval;
};

/// Their numbers begin here and end before first_codec_property; an element's own are below.
inline constexpr guint first_capture_property = 50;

void install_capture_properties(GObjectClass *object_class);
void set_capture_property(CaptureSettings &settings, guint id, const GValue *value);
void get_capture_property(const CaptureSettings &settings, guint id, GValue *value);

} // namespace jkvm
