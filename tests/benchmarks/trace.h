// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads traces: recorded or generated arrivals of a stream's frames.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"

#include <string>
#include <vector>

namespace jkvm::benchmark {

struct TracedFrame {
    nanoseconds media;     ///< capture time, sender's clock
    nanoseconds arrival;   ///< receiver's clock
    nanoseconds reference; ///< playout time without any delay, receiver's clock
};
using Trace = std::vector<TracedFrame>; // sorted by arrival; a stream is never reordered

/// Reads a file of lines `media_ms,arrival_ms[,reference_ms]` below a header, optionally gzipped. A
/// missing reference is the media time plus the minimum transit of the trace.
Result<Trace> read_trace(const std::string &path);

} // namespace jkvm::benchmark
