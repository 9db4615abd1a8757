// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmaudiosink.
#pragma once

#include "common/property_table.h"
#include "common/stats_report.h"
#include "core/base/time.h"

#include <string>

namespace jkvm {

enum class OnPlaybackLost { discard, error, eos };

struct PlaybackSettings {
    std::string device = "hw:0,0";
    nanoseconds latency_time = std::chrono::milliseconds(10);
    nanoseconds buffer_time = std::chrono::milliseconds(200);
    OnPlaybackLost on_device_lost = OnPlaybackLost::discard;
    bool mute = false;
    double volume = 1;
    int priority = 80;
    nanoseconds report_interval = StatsReport::default_interval;
};

const PropertyTable<PlaybackSettings> &playback_properties();

} // namespace jkvm
