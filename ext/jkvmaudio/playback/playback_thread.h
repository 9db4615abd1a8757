// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a PlaybackEngine in a thread of its own, because opening a device may block.
#pragma once

#include "core/base/thread_priority.h"
#include "core/stats/latency_monitor.h"
#include "core/stats/latency_watch.h"
#include "playback/playback_engine.h"

#include <memory>
#include <span>

namespace jkvm {

/// Functions may be called from any thread. Only the destructor ever waits for the device's driver.
class PlaybackThread {
public:
    struct Config {
        PlaybackEngine::Config engine;
        int priority = 0; ///< SCHED_FIFO priority requested for the thread; 0: none
    };
    /// Time after which the destructor abandons a thread that is blocked in a driver.
    static constexpr nanoseconds longest_stop = std::chrono::seconds(1);

    /// `host` is called from the thread, and never after the destructor has returned.
    PlaybackThread(Config config, PlaybackEngine::Host &host);
    ~PlaybackThread();
    PlaybackThread(const PlaybackThread &) = delete;
    PlaybackThread &operator=(const PlaybackThread &) = delete;

    /// Queues an item, which has to be done latency() before its due time. Drops the item and
    /// counts it if the queue is full.
    void push(const PlaybackItem &item, std::span<const std::byte> data);
    [[nodiscard]] bool is_full() const;
    /// Blocks while the queue is full. Returns early after interrupt(true).
    void wait_for_room();
    void interrupt(bool is_interrupted);
    /// Discards queued items and audio that the device has not played yet.
    void flush();
    void set_gain(double gain);
    /// Replaces the list of devices; see PlaybackEngine::set_devices().
    void set_devices(std::vector<std::string> devices);
    /// Whether all items were written or dropped.
    [[nodiscard]] bool is_idle() const;

    /// Statistics of the packets played so far.
    struct Quality {
        DecayingQuantiles playout_error; ///< absolute values
        LatencyMonitor latency;          ///< from capture to the device
    };
    [[nodiscard]] Quality quality() const;
    /// Returns the new level of Quality::latency if it changed.
    std::optional<LatencyWatch::Change> update(LatencyWatch &watch,
                                               const LatencyThresholds &thresholds) const;
    /// Statistics as of the thread's last step.
    [[nodiscard]] PlaybackEngine::Snapshot snapshot() const;
    /// How long before its due time an item has to be queued.
    [[nodiscard]] nanoseconds latency() const;
    [[nodiscard]] ThreadPriority::Granted scheduling() const;

private:
    struct Shared;
    static void run(const std::shared_ptr<Shared> &shared, const Config &config);

    std::shared_ptr<Shared> shared_; // shared with the thread, which may be abandoned
};

} // namespace jkvm
