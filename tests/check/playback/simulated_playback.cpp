// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/simulated_playback.h"

#include <algorithm>
#include <utility>

namespace jkvm::testing {

namespace {

// A thread wakes up this long after the time it waited for.
constexpr nanoseconds wake_up_delay = std::chrono::microseconds(50);

} // namespace

SimulatedPlayback::SimulatedPlayback(PlaybackEngine::Config config, PlaybackEngine::Host &host)
    : engine_(std::move(config), queue_, host)
{}

MonotonicTime SimulatedPlayback::step()
{
    const auto next = engine_.step();
    engine_.update(snapshot_);
    snapshot_.counters.dropped_flush += queue_.flushed();
    return next;
}

void SimulatedPlayback::run_until(MonotonicTime time)
{
    for (;;) {
        const auto next = step();
        const auto now = monotonic_now(); // read once, because an interruption may advance it
        if (now >= time)
            return;
        FakeMonotonicClock::set(std::min(time, std::max(next, now) + wake_up_delay));
    }
}

void SimulatedPlayback::push(const PlaybackItem &item, std::span<const std::byte> data)
{
    queue_.push(item, data);
    (void)step();
}

void SimulatedPlayback::flush()
{
    queue_.flush();
}

void SimulatedPlayback::set_devices(std::vector<std::string> devices)
{
    engine_.set_devices(std::move(devices));
    (void)step();
}

} // namespace jkvm::testing
