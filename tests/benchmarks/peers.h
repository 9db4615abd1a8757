// SPDX-License-Identifier: LGPL-2.1-or-later
// What GStreamer's own elements make of a trace. They run for real, at the trace's pace but not at
// the wall clock's.
#pragma once

#include "benchmarks/replay.h"

#include <optional>
#include <string_view>

namespace jkvm::benchmark {

enum class Peer {
    /// It sends every frame on at once; what its delay is shows in the timestamps: a sink plays a
    /// frame at its timestamp plus the latency. The sink is taken for ideal: it follows small
    /// changes of the timestamps for nothing, conceals holes, and drops what overlaps or comes too
    /// late.
    rtpjitterbuffer,
    /// With leaky=downstream, and behind it a device that begins a while after the first frame,
    /// takes one whenever the last has played, and conceals until there is one.
    queue,
};

/// Nothing for another name.
std::optional<Peer> peer_of_name(std::string_view name);

/// What came out and what was lost, in order. `latency`: the property of rtpjitterbuffer; how long
/// the device behind a queue waits before it begins.
std::vector<Output> play_through(Peer peer, const Trace &trace, nanoseconds latency,
                                 nanoseconds frame_duration);

} // namespace jkvm::benchmark
