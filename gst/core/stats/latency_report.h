// SPDX-License-Identifier: LGPL-2.1-or-later
// The latency that a live source tells the pipeline, made from latencies that jitter.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// A change of the reported latency makes every sink of the pipeline adjust, which can be heard. So
/// what is reported is the latency without its jitter (the least of each second), plus a margin,
/// rounded up to steps; it rises when that has risen, and falls when it has by two steps.
class LatencyReport {
public:
    static constexpr nanoseconds step = std::chrono::milliseconds(10);
    /// What scheduling on a busy machine may add.
    static constexpr nanoseconds margin = std::chrono::milliseconds(10);

    /// `initial` is reported until the first frame.
    explicit LatencyReport(nanoseconds initial) : value_(initial) {}

    /// Of each frame.
    void record(nanoseconds latency);
    /// Another sender: its first frame decides.
    void restart() { is_first_ = true; }
    [[nodiscard]] nanoseconds value() const { return value_; }

private:
    static constexpr unsigned window = 50; // frames

    nanoseconds value_;
    nanoseconds least_{0}; // of this window
    unsigned count_ = 0;   // in this window
    bool is_first_ = true;
};

} // namespace jkvm
