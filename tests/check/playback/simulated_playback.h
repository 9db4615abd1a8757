// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a PlaybackEngine and its test device in simulated time.
#pragma once

#include "playback/playback_engine.h"
#include "support/fake_clocks.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace jkvm::testing {

/// Steps the engine as PlaybackThread does, but without a thread: CLOCK_MONOTONIC advances only in
/// run_until(). The test device reads the same clock, so nothing depends on the machine's load.
class SimulatedPlayback {
public:
    /// `host` outlives the object.
    SimulatedPlayback(PlaybackEngine::Config config, PlaybackEngine::Host &host);

    /// Steps the engine whenever it asks for it, and at `time`.
    void run_until(MonotonicTime time);
    void push(const PlaybackItem &item, std::span<const std::byte> data);
    /// Takes effect in the next step, as for a thread that is not running at the moment.
    void flush();
    void set_devices(std::vector<std::string> devices);
    /// Statistics as of the last step.
    [[nodiscard]] const PlaybackEngine::Snapshot &snapshot() const { return snapshot_; }

private:
    /// Returns when the next step is due.
    MonotonicTime step();

    PlaybackQueue queue_;
    PlaybackEngine engine_;
    PlaybackEngine::Snapshot snapshot_;
};

} // namespace jkvm::testing
