// SPDX-License-Identifier: LGPL-2.1-or-later
// peer-replay: replays recorded arrivals through an element of GStreamer and prints the same score
// as adaptive-replay.
#include "benchmarks/peers.h"

#include <gst/gst.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

constexpr auto usage =
    "usage: peer-replay --peer rtpjitterbuffer|queue [--latency-ms 200] [--frame-ms 20]\n"
    "                   [--skip-s 10] TRACE.csv[.gz]\n";

struct Options {
    std::optional<benchmark::Peer> peer;
    nanoseconds latency = 200ms; // rtpjitterbuffer's default
    benchmark::ReplaySettings settings;
    const char *trace = nullptr;
};

std::optional<Options> parse(int argc, char **argv)
{
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument.substr(0, 2) != "--") {
            options.trace = argv[i];
            continue;
        }
        if (++i == argc)
            return std::nullopt;
        const auto milliseconds = nanoseconds(std::llround(std::atof(argv[i]) * 1e6));
        if (argument == "--peer")
            options.peer = benchmark::peer_of_name(argv[i]);
        else if (argument == "--latency-ms")
            options.latency = milliseconds;
        else if (argument == "--frame-ms")
            options.settings.frame_duration = milliseconds;
        else if (argument == "--skip-s")
            options.settings.skip = 1000 * milliseconds;
        else
            return std::nullopt;
    }
    if (!options.peer || options.trace == nullptr || options.settings.frame_duration <= 0ns)
        return std::nullopt;
    return options;
}

} // namespace

int main(int argc, char **argv)
{
    const auto options = parse(argc, argv);
    if (!options) {
        std::fputs(usage, stderr);
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
    const auto outputs = benchmark::play_through(*options->peer, *trace, options->latency,
                                                 options->settings.frame_duration);
    const auto end = monotonic_now();
    auto score = benchmark::score_outputs(*trace, outputs, options->settings).score;
    score.ns_per_frame =
        static_cast<double>((end - start).count()) / static_cast<double>(trace->size());
    std::puts(benchmark::to_json(score).c_str());
}
