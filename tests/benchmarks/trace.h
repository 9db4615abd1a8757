// SPDX-License-Identifier: LGPL-2.1-or-later
// Recorded or generated arrivals of a stream's frames.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"

#include <string>
#include <vector>

namespace jkvm::benchmark {

struct TracedFrame {
    nanoseconds media;     ///< when it was captured, by the sender's clock
    nanoseconds arrival;   ///< by ours
    nanoseconds reference; ///< when it would have played without any delay, by ours
};
using Trace = std::vector<TracedFrame>; // by arrival; a stream is never reordered

/// Lines of `media_ms,arrival_ms[,reference_ms]` below a header, gzipped or not. Without a
/// reference it is the media time plus the least transit of the trace.
Result<Trace> read_trace(const std::string &path);

} // namespace jkvm::benchmark
