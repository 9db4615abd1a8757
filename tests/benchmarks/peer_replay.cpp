// SPDX-License-Identifier: LGPL-2.1-or-later
// peer-replay: what GStreamer's rtpjitterbuffer makes of recorded arrivals, as adaptive-replay says
// it of ours. The element itself runs, on a test clock.
//
// It sends every frame on at once; what its delay is shows in the timestamps: a sink plays a frame
// at its timestamp plus the latency. Here a sink is taken for ideal: it follows small changes of
// the timestamps for nothing, conceals holes, and drops what overlaps or comes too late.
#include "benchmarks/replay.h"
#include "common/gst_ref.h"

#include <gst/check/gstharness.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

constexpr unsigned clock_rate = 48000;

struct Options {
    benchmark::ReplaySettings settings;
    unsigned latency_ms = 200; // the element's default
    const char *trace = nullptr;
};

std::optional<Options> parse(int argc, char **argv)
{
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const auto *const value = i + 1 < argc ? argv[i + 1] : "";
        if (argument == "--frame-ms")
            options.settings.frame_duration = nanoseconds(std::llround(std::atof(value) * 1e6));
        else if (argument == "--skip-s")
            options.settings.skip = nanoseconds(std::llround(std::atof(value) * 1e9));
        else if (argument == "--latency-ms")
            options.latency_ms = static_cast<unsigned>(std::atoi(value));
        else
            options.trace = argv[i];
        i += argument.substr(0, 2) == "--" ? 1 : 0;
    }
    if (options.trace == nullptr || options.settings.frame_duration <= 0ns)
        return std::nullopt;
    return options;
}

// An RTP packet without payload; its sequence number is its place in the trace.
GstBuffer *make_packet(const benchmark::TracedFrame &frame, std::size_t place)
{
    const auto timestamp =
        static_cast<guint32>(frame.media.count() / 1000 * clock_rate / 1'000'000);
    guint8 header[12] = {0x80, 96};
    GST_WRITE_UINT16_BE(header + 2, static_cast<guint16>(place));
    GST_WRITE_UINT32_BE(header + 4, timestamp);
    auto *const buffer = gst_buffer_new_memdup(header, sizeof header);
    GST_BUFFER_DTS(buffer) = GST_BUFFER_PTS(buffer) =
        static_cast<GstClockTime>(frame.arrival.count());
    return buffer;
}

// The timestamps that the element gives the frames.
std::vector<nanoseconds> timestamps(const benchmark::Trace &trace, unsigned latency_ms)
{
    const std::unique_ptr<GstHarness, void (*)(GstHarness *)> harness(
        gst_harness_new("rtpjitterbuffer"), gst_harness_teardown);
    auto *const h = harness.get();
    g_object_set(h->element, "latency", latency_ms, nullptr);
    gst_harness_set_src_caps_str(h, "application/x-rtp,media=audio,clock-rate=48000,"
                                    "encoding-name=OPUS,payload=96");
    std::vector<nanoseconds> result;
    result.reserve(trace.size());
    auto clock_time = 0ns;
    for (std::size_t i = 0; i < trace.size(); ++i) {
        if (trace[i].arrival > clock_time) {
            clock_time = trace[i].arrival;
            gst_harness_set_time(h, static_cast<GstClockTime>(clock_time.count()));
        }
        gst_harness_push(h, make_packet(trace[i], i));
        if (i == 0) { // it might be out of order, so it is kept until its latest time
            gst_harness_crank_single_clock_wait(h);
            clock_time += std::chrono::milliseconds(latency_ms);
        }
        // It comes from a thread of the element's.
        const auto buffer = GstRef<GstBuffer>::adopt(gst_harness_pull(h));
        if (!buffer)
            break;
        result.emplace_back(static_cast<std::int64_t>(GST_BUFFER_PTS(buffer.get())));
    }
    return result;
}

std::vector<benchmark::Output> play(const benchmark::Trace &trace,
                                    const std::vector<nanoseconds> &timestamps,
                                    const Options &options)
{
    const auto duration = options.settings.frame_duration;
    const nanoseconds latency = std::chrono::milliseconds(options.latency_ms);
    std::vector<benchmark::Output> outputs;
    std::optional<nanoseconds> position; // up to there something was played
    for (std::size_t i = 0; i < trace.size(); ++i) {
        const auto time = timestamps[i] + latency;
        if (!position)
            position = time;
        const bool overlaps = time < *position - duration / 2;
        if (trace[i].arrival > time || overlaps) {
            outputs.push_back({Playout::Drop{Playout::DropReason::late, false}, i});
            continue; // the hole shows at the next frame that plays
        }
        if (time > *position + duration / 2)
            outputs.push_back({Playout::Conceal{*position, time - *position}, 0});
        outputs.push_back({Playout::Play{time, trace[i].media, duration, i == 0}, i});
        position = time + duration;
    }
    return outputs;
}

} // namespace

int main(int argc, char **argv)
{
    const auto options = parse(argc, argv);
    if (!options) {
        std::fputs("usage: peer-replay [--latency-ms 200] [--frame-ms 20] [--skip-s 10] TRACE\n",
                   stderr);
        return 2;
    }
    gst_init(nullptr, nullptr);
    auto trace = benchmark::read_trace(options->trace);
    if (!trace) {
        std::fprintf(stderr, "peer-replay: %s: %s\n", trace.error().subject.c_str(),
                     trace.error().detail.c_str());
        return 2;
    }
    const auto start = monotonic_now();
    const auto stamps = timestamps(*trace, options->latency_ms);
    const auto end = monotonic_now();
    if (stamps.size() != trace->size()) {
        std::fprintf(stderr, "peer-replay: %zu of %zu frames came out\n", stamps.size(),
                     trace->size());
        return 1;
    }
    auto score = judge(*trace, play(*trace, stamps, *options), options->settings).score;
    score.ns_per_frame =
        static_cast<double>((end - start).count()) / static_cast<double>(trace->size());
    std::puts(benchmark::to_json(score).c_str());
}
