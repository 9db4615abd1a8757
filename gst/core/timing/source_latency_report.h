// SPDX-License-Identifier: LGPL-2.1-or-later
// Derives the latency that a live source reports from the measured latencies of its frames.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// A change of the reported latency makes every sink of the pipeline adjust, which is audible. The
/// value is therefore the minimum latency of several frames, which is free of jitter, plus a
/// margin, rounded up to a step. It rises with that minimum, and falls once that has fallen by two
/// steps.
class SourceLatencyReport {
public:
    static constexpr nanoseconds step = std::chrono::milliseconds(10);
    /// Allowance for scheduling on a busy machine.
    static constexpr nanoseconds margin = std::chrono::milliseconds(10);

    /// Upper bound: a peer must not delay the pipeline by more with its timestamps.
    static constexpr nanoseconds max_latency = std::chrono::seconds(1);

    /// `expected`: latency of the first frame, reported until that arrives.
    explicit SourceLatencyReport(nanoseconds expected);

    /// Records the latency of a frame.
    void record(nanoseconds latency);
    /// Another sender follows: its first frame takes effect at once.
    void restart() { is_first_ = true; }
    [[nodiscard]] nanoseconds value() const { return value_; }

private:
    void update(nanoseconds latency);

    static constexpr unsigned window = 50; // frames

    nanoseconds value_;
    nanoseconds minimum_{0}; // in this window
    unsigned count_ = 0;     // in this window
    bool is_first_ = true;
};

} // namespace jkvm
