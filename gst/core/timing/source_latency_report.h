// SPDX-License-Identifier: LGPL-2.1-or-later
// The latency that a live source tells the pipeline, made from latencies that jitter.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// A change of the reported latency makes every sink of the pipeline adjust, which can be heard. So
/// what is reported is the latency without its jitter (the least of some frames), plus a margin,
/// rounded up to steps; it rises when that has risen, and falls when it has by two steps.
class SourceLatencyReport {
public:
    static constexpr nanoseconds step = std::chrono::milliseconds(10);
    /// What scheduling on a busy machine may add.
    static constexpr nanoseconds margin = std::chrono::milliseconds(10);

    /// No more is ever reported: whoever sends timestamps must not hold up a pipeline for longer.
    static constexpr nanoseconds longest = std::chrono::seconds(1);

    /// `expected`: of the first frame; that is what is reported until then.
    explicit SourceLatencyReport(nanoseconds expected);

    /// Of each frame.
    void record(nanoseconds latency);
    /// Another sender: its first frame counts at once.
    void restart() { is_first_ = true; }
    [[nodiscard]] nanoseconds value() const { return value_; }

private:
    void take(nanoseconds latency);

    static constexpr unsigned window = 50; // frames

    nanoseconds value_;
    nanoseconds least_{0}; // of this window
    unsigned count_ = 0;   // in this window
    bool is_first_ = true;
};

} // namespace jkvm
