// SPDX-License-Identifier: LGPL-2.1-or-later
// Replays a trace through GStreamer's own elements. The real elements run, in the trace's time
// instead of real time.
#pragma once

#include "benchmarks/replay.h"

#include <optional>
#include <string_view>

namespace jkvm::benchmark {

enum class Peer {
    /// Forwards every frame at once and expresses its delay in the timestamps: a sink plays a frame
    /// at its timestamp plus the latency. The simulated sink is ideal: it follows small changes of
    /// the timestamps at no cost, conceals gaps, and drops frames that overlap or are late.
    rtpjitterbuffer,
    /// leaky=downstream, in front of a device that starts some time after the first frame, takes a
    /// frame whenever the previous one has played, and conceals until there is one.
    queue,
};

/// Returns the peer of that name; nothing if there is none.
std::optional<Peer> peer_of_name(std::string_view name);

/// Returns the played, concealed and dropped frames in order. `latency` is the property of
/// rtpjitterbuffer, or the start delay of the device after the queue.
std::vector<Playout::Action> play_through(Peer peer, const Trace &trace, nanoseconds latency,
                                          nanoseconds frame_duration);

} // namespace jkvm::benchmark
