// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a trace through the engine of jkvmadaptivequeue on simulated time and scores its output.
#pragma once

#include "benchmarks/trace.h"
#include "core/playout/playout.h"

#include <cstdint>
#include <string>
#include <vector>

namespace jkvm::benchmark {

/// A machine with a constant load.
class SteadyLoad final : public SystemLoad {
public:
    LoadSample load{10, 30};
    std::optional<LoadSample> sample() override { return load; }
};

struct ReplaySettings {
    nanoseconds frame_duration = std::chrono::milliseconds(20);
    nanoseconds skip = std::chrono::seconds(10); ///< frames played before that are not scored
    nanoseconds conceal_step = std::chrono::microseconds(2500);
    nanoseconds maximum_conceal_step = std::chrono::milliseconds(20);
};

struct Score {
    std::uint64_t frames = 0; ///< played
    double mean_delay_ms = 0; ///< from the reference time to the output
    double p95_delay_ms = 0;
    double p99_delay_ms = 0;
    double max_delay_ms = 0;
    /// Share of the output that was concealed, except for pauses of the sender, or dropped without
    /// an adjacent concealment.
    double disturbance = 0;
    double concealed_ms = 0;
    std::uint64_t underruns = 0;     ///< runs of concealment
    std::uint64_t conceal_steps = 0; ///< in these; the decoder fades with each one
    std::uint64_t dropped_paid = 0;  ///< frames dropped without an adjacent concealment
    std::uint64_t dropped_free = 0;  ///< frames dropped next to concealment, or quiet
    double delay_variation_ms_per_min = 0;
    double ns_per_frame = 0; ///< processor time on this machine
};

struct PlayedFrame {
    nanoseconds media;
    nanoseconds delay; ///< from the reference time to the output
};

struct ReplayResult {
    Score score;
    std::vector<PlayedFrame> played; ///< including the skipped time
};

/// Passes the frames of a trace through `playout` and returns its actions, apart from waits. The
/// handle of a frame is its index in the trace.
std::vector<Playout::Action> run_playout(const Trace &trace, Playout &playout,
                                         const ReplaySettings &settings);

/// Scores the outputs of a queue. `outputs`: the handle of a frame is its index in the trace.
ReplayResult score_outputs(const Trace &trace, const std::vector<Playout::Action> &outputs,
                           const ReplaySettings &settings);

ReplayResult replay(const Trace &trace, const PlayoutConfig &config, SystemLoad &load,
                    const ReplaySettings &settings);

/// Returns the score as a JSON object.
std::string to_json(const Score &score);

} // namespace jkvm::benchmark
