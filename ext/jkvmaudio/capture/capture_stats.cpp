// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/capture_stats.h"

#include "common/fields.h"
#include "common/latency_fields.h"

#include <cmath>

namespace jkvm {

namespace {

double percent(std::uint64_t part, std::uint64_t rest)
{
    const auto all = static_cast<double>(part + rest);
    return all > 0 ? 100 * static_cast<double>(part) / all : 0;
}

const char *name_of(Bandwidth bandwidth)
{
    switch (bandwidth) {
    case Bandwidth::narrowband:
        return "narrowband";
    case Bandwidth::mediumband:
        return "mediumband";
    case Bandwidth::wideband:
        return "wideband";
    case Bandwidth::superwideband:
        return "superwideband";
    default:
        return "fullband";
    }
}

const char *name_of(Activity activity)
{
    switch (activity) {
    case Activity::idle:
        return "idle";
    case Activity::release_device:
        return "release-device";
    default:
        return "encode";
    }
}

void add_device(Fields &fields, const CaptureEngine::Device &device)
{
    const auto &format = device.format;
    fields.set("device-state", std::string(name_of(device.state)))
        .set("device-trouble", std::string(name_of(device.trouble)))
        .set("device", device.name)
        .set("device-rate", format.rate)
        .set("device-channels", format.channels)
        .set("device-format",
             std::string(format.rate == 0 ? "" : snd_pcm_format_name(format.sample)))
        .set("device-period", format.period)
        .set("device-buffer", format.buffer_time)
        .set("converted", device.is_converted);
}

void add_capture(Fields &fields, const CaptureEngine::Counters &stats)
{
    fields.set("driver-timestamps", stats.uses_driver_timestamps)
        .set("drift-ppm", stats.drift_ppm)
        .set("measured-rate", stats.device_rate)
        .set("overruns", stats.overruns)
        .set("lost-time", stats.lost_time)
        .set("resyncs", stats.resyncs)
        .set("silent-frames", stats.silent_frames);
    Fields recoveries;
    std::uint64_t sum = 0;
    for (std::size_t i = 1; i < stats.recoveries.size(); ++i) {
        recoveries.set(name_of(static_cast<DeviceTrouble>(i)), stats.recoveries.at(i));
        sum += stats.recoveries.at(i);
    }
    fields.set("recoveries", sum).set("recoveries-by-reason", "recoveries", std::move(recoveries));
}

void add_coding(Fields &fields, const CaptureStats &stats)
{
    const auto &coding = stats.coding;
    fields.set("frames", coding.frames)
        .set("bytes", coding.bytes)
        .set("bitrate", stats.settings.bitrate)
        .set("frame-time", stats.settings.frame)
        .set("codec-mode", std::string(coding.last ? name_of(coding.last->mode) : ""))
        .set("codec-bandwidth", std::string(coding.last ? name_of(coding.last->bandwidth) : ""))
        .set("codec-channels", !coding.last          ? 0U
                               : coding.last->stereo ? 2U
                                                     : 1U)
        .set("dtx-percent", percent(coding.dtx_frames, coding.frames - coding.dtx_frames))
        .append(latency_fields(coding.encode_time, "encode-time"))
        .append(histogram_fields(coding.encode_time.histogram(), "encode-time"))
        .set("scheduling", std::string(name_of(stats.scheduling)));
    std::vector<Fields> levels;
    for (unsigned c = 0; c < stats.channels; ++c)
        levels.push_back(std::move(Fields()
                                       .set("peak", to_decibels(coding.levels.at(c).peak))
                                       .set("rms", to_decibels(coding.levels.at(c).rms))));
    fields.set("levels", "level", std::move(levels));
}

/// The fields that JetKVM's own streamer has, under its names.
void add_streamer(Fields &fields, const CaptureStats &stats)
{
    const auto &capture = stats.capture;
    const auto &device = stats.device;
    const auto frame = stats.settings.frame;
    const auto dropped = static_cast<std::uint64_t>(capture.lost_time / frame);
    const auto frames = stats.coding.frames;
    fields.set("processed_frames", frames)
        .set("dropped_frames", dropped)
        .set("drop_rate_percent", percent(dropped, frames))
        .set("avg_processing_time_ns",
             frames == 0 ? nanoseconds(0)
                         : stats.coding.processing_time / static_cast<std::int64_t>(frames))
        .set("channel_buffer_size", static_cast<guint>(device.format.buffer_time / frame))
        .set("channel_current_size", static_cast<guint>(capture.backlog / frame))
        .set("connected", device.state == DeviceState::run);
}

} // namespace

GstStructure *make_structure(const CaptureStats &stats)
{
    Fields fields;
    add_coding(fields, stats);
    add_device(fields, stats.device);
    add_capture(fields, stats.capture);
    fields.append(pool_fields(stats.pool));
    add_streamer(fields, stats);
    fields.set("activity", std::string(name_of(stats.activity)))
        .set("unheard-time", stats.unheard_time);
    return fields.release("application/x-jkvm-audiosrc-stats");
}

} // namespace jkvm
