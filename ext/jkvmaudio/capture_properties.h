// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmaudiosrc that select and configure the device.
#pragma once

#include "common/property_table.h"
#include "common/stats_report.h"
#include "core/base/time.h"

#include <string>

namespace jkvm {

enum class SlaveMethod { skew, none };
enum class OnDeviceLost { silence, error, eos };

struct CaptureSettings {
    std::string device = "hw:0,0";
    nanoseconds latency_time = std::chrono::milliseconds(10);
    nanoseconds buffer_time = std::chrono::milliseconds(500);
    bool provide_clock = false;
    SlaveMethod slave_method = SlaveMethod::skew;
    OnDeviceLost on_device_lost = OnDeviceLost::silence;
    bool mute = false;
    double volume = 1;
    int priority = 80;
    nanoseconds report_interval = StatsReport::default_interval;
};

const PropertyTable<CaptureSettings> &capture_properties();

} // namespace jkvm
