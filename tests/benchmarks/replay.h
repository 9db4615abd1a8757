// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a trace through the engine of jkvmadaptivequeue, on simulated time, and judges what comes
// out.
#pragma once

#include "benchmarks/trace.h"
#include "core/playout/playout.h"

#include <cstdint>
#include <string>
#include <vector>

namespace jkvm::benchmark {

/// A machine that is always equally busy.
class SteadyLoad final : public SystemLoad {
public:
    LoadSample load{10, 30};
    std::optional<LoadSample> sample() override { return load; }
};

struct ReplaySettings {
    nanoseconds frame_duration = std::chrono::milliseconds(20);
    nanoseconds skip = std::chrono::seconds(10); ///< what plays before that is not judged
    nanoseconds quantum = std::chrono::microseconds(2500);
};

struct Score {
    std::uint64_t frames = 0; ///< played
    double mean_delay_ms = 0; ///< from the reference time to the output
    double p95_delay_ms = 0;
    double p99_delay_ms = 0;
    double max_delay_ms = 0;
    /// The part of the output that is not as it was captured: what was concealed, but for pauses
    /// of the sender, and the paid drops.
    double disturbance = 0;
    double concealed_ms = 0;
    std::uint64_t underruns = 0;    ///< runs of concealment
    std::uint64_t dropped_paid = 0; ///< frames that leave a hole of their own
    std::uint64_t dropped_free = 0; ///< frames beside a concealment, or quiet
    double delay_variation_ms_per_min = 0;
    double ns_per_frame = 0; ///< of this machine's time
};

struct PlayedFrame {
    nanoseconds media;
    nanoseconds delay; ///< from the reference time to the output
};

struct ReplayResult {
    Score score;
    std::vector<PlayedFrame> played; ///< all of them, the skipped time too
};

/// What was done with a frame of the trace, or between two.
struct Output {
    Playout::Action action;
    std::size_t frame; ///< in the trace; for Play and Drop
};

ReplayResult judge(const Trace &trace, const std::vector<Output> &outputs,
                   const ReplaySettings &settings);

ReplayResult replay(const Trace &trace, const PlayoutConfig &config, SystemLoad &load,
                    const ReplaySettings &settings);

/// One JSON object.
std::string to_json(const Score &score);

} // namespace jkvm::benchmark
