// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_stats.h"

#include "common/latency_fields.h"

namespace jkvm {

using namespace std::chrono_literals;

GstStructure *make_structure(const PlaybackStats &stats)
{
    const auto &engine = stats.engine;
    const auto &counters = engine.counters;
    const auto microseconds = [](nanoseconds time) {
        return std::chrono::duration<double, std::micro>(time).count();
    };
    const auto to_time = [](std::uint64_t samples) {
        return nanoseconds(std::chrono::seconds(samples)) / OpusFrameDecoder::rate;
    };
    Fields recoveries;
    std::uint64_t sum = 0;
    for (std::size_t i = 1; i < counters.recoveries.size(); ++i) {
        recoveries.set(name_of(static_cast<DeviceTrouble>(i)), counters.recoveries.at(i));
        sum += counters.recoveries.at(i);
    }
    Fields fields;
    fields.set("frames", counters.packets)
        .set("bytes", counters.bytes)
        .set("concealed", to_time(counters.decoder.concealed))
        .set("fec-recovered", to_time(counters.decoder.fec_recovered))
        .set("invalid", counters.decoder.invalid)
        .set("underruns", counters.underruns)
        .set("dropped", counters.dropped_late + counters.dropped_no_device +
                            counters.dropped_queue_full + counters.dropped_flush)
        .set("dropped-late", counters.dropped_late)
        .set("dropped-no-device", counters.dropped_no_device)
        .set("dropped-queue-full", counters.dropped_queue_full)
        .set("dropped-flush", counters.dropped_flush)
        .set("realignments", counters.realignments)
        .set("depth", engine.depth)
        .set("ring-target", engine.ring_target)
        .set("device-latency", engine.latency)
        .set("ratio-ppm", engine.ratio_ppm)
        .set("pitch-ppm", engine.pitch_ppm)
        .set("drift-ppm", engine.drift_ppm)
        .set("playout-error-us", microseconds(engine.playout_error))
        .set("playout-error-p95-us", microseconds(stats.quality.playout_error.at(0.95)))
        .append(latency_fields(stats.quality.latency))
        .append(histogram_fields(stats.quality.latency.histogram()))
        .set("state", std::string(name_of(engine.state)))
        .set("device", engine.device)
        .set("rate", engine.format.rate)
        .set("channels", engine.format.channels)
        .set("connected", engine.state == DeviceState::run)
        .set("recoveries", sum)
        .set("recoveries-by-reason", "recoveries", std::move(recoveries))
        .set("scheduling", std::string(name_of(stats.scheduling)));
    return fields.release("application/x-jkvm-audiosink-stats");
}

} // namespace jkvm
