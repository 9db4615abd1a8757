// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_thread.h"

#include "core/base/guarded.h"
#include "core/base/wait_control.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

/// State shared by the owner and the thread.
struct PlaybackThread::Shared final : PlaybackEngine::Host {
    PlaybackQueue queue;
    WaitControl control;
    std::atomic<double> gain{1};
    std::atomic<nanoseconds> latency{PlaybackEngine::initial_latency};
    std::atomic<ThreadPriority::Granted> scheduling{ThreadPriority::Granted::normal};
    std::atomic<bool> is_idle{true};
    std::atomic<std::uint64_t> dropped_queue_full{0};
    Guarded<std::optional<std::vector<std::string>>> devices; // new list, for the next step
    Guarded<PlaybackEngine::Snapshot> snapshot;
    Guarded<Quality> quality;
    // Held while the host is called, so that the destructor returns after the last call.
    Guarded<PlaybackEngine::Host *> host{nullptr};

    std::mutex mutex; // guards has_ended
    std::condition_variable ended;
    bool has_ended = false;

    void on_device_changed(const DeviceReport &report) override
    {
        if (const auto access = host.lock(); *access != nullptr)
            (*access)->on_device_changed(report);
    }
    void on_latency_changed(nanoseconds changed) override
    {
        latency = changed;
        if (const auto access = host.lock(); *access != nullptr)
            (*access)->on_latency_changed(changed);
    }
    void on_device_position(nanoseconds position, MonotonicTime time) override
    {
        if (const auto access = host.lock(); *access != nullptr)
            (*access)->on_device_position(position, time);
    }
    void on_played(const PlaybackEngine::PlayedPacket &packet) override
    {
        auto access = quality.lock();
        access->playout_error.record(std::chrono::abs(packet.error));
        if (packet.captured) {
            const auto [wall, monotonic] = read_together(&wall_now, &monotonic_now);
            access->latency.record(wall - *packet.captured + (packet.time - monotonic));
        }
    }
};

PlaybackThread::PlaybackThread(Config config, PlaybackEngine::Host &host)
    : shared_(std::make_shared<Shared>())
{
    *shared_->host.lock() = &host;
    std::thread([shared = shared_, config = std::move(config)] { run(shared, config); }).detach();
}

PlaybackThread::~PlaybackThread()
{
    *shared_->host.lock() = nullptr;
    shared_->queue.interrupt(true);
    shared_->control.interrupt();
    std::unique_lock lock(shared_->mutex);
    shared_->ended.wait_for(lock, longest_stop, [this] { return shared_->has_ended; });
}

void PlaybackThread::run(const std::shared_ptr<Shared> &shared, const Config &config)
{
    ThreadPriority priority;
    if (config.priority > 0)
        shared->scheduling = priority.raise(config.priority);
    {
        PlaybackEngine engine(config.engine, shared->queue, *shared);
        for (;;) {
            (void)shared->control.take_wake_up();
            if (shared->control.is_interrupted())
                break;
            engine.set_gain(shared->gain);
            if (auto devices = std::exchange(*shared->devices.lock(), std::nullopt))
                engine.set_devices(std::move(*devices));
            const auto next = engine.step();
            engine.update(*shared->snapshot.lock());
            shared->is_idle = engine.is_idle() && shared->queue.is_empty();
            shared->control.sleep_until(next);
        }
    }
    const std::lock_guard lock(shared->mutex);
    shared->has_ended = true;
    shared->ended.notify_all();
}

void PlaybackThread::push(const PlaybackItem &item, std::span<const std::byte> data)
{
    shared_->is_idle = false;
    if (!shared_->queue.push(item, data))
        ++shared_->dropped_queue_full;
    shared_->control.request_wake_up();
}

bool PlaybackThread::is_full() const
{
    return shared_->queue.is_full();
}

void PlaybackThread::wait_for_room()
{
    shared_->queue.wait_for_room(100ms);
}

void PlaybackThread::interrupt(bool is_interrupted)
{
    shared_->queue.interrupt(is_interrupted);
}

void PlaybackThread::flush()
{
    shared_->queue.flush();
    shared_->control.request_wake_up();
}

void PlaybackThread::set_gain(double gain)
{
    shared_->gain = gain;
}

void PlaybackThread::set_devices(std::vector<std::string> devices)
{
    *shared_->devices.lock() = std::move(devices);
    shared_->control.request_wake_up();
}

PlaybackThread::Quality PlaybackThread::quality() const
{
    return shared_->quality.snapshot();
}

std::optional<LatencyWatch::Change> PlaybackThread::update(
    LatencyWatch &watch, const LatencyThresholds &thresholds) const
{
    return watch.update(shared_->quality.lock()->latency, thresholds, monotonic_now());
}

bool PlaybackThread::is_idle() const
{
    return shared_->is_idle;
}

PlaybackEngine::Snapshot PlaybackThread::snapshot() const
{
    auto snapshot = shared_->snapshot.snapshot();
    snapshot.counters.dropped_queue_full = shared_->dropped_queue_full;
    snapshot.counters.dropped_flush += shared_->queue.flushed();
    return snapshot;
}

nanoseconds PlaybackThread::latency() const
{
    return shared_->latency;
}

ThreadPriority::Granted PlaybackThread::scheduling() const
{
    return shared_->scheduling;
}

} // namespace jkvm
