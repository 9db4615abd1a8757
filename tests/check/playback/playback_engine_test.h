// SPDX-License-Identifier: LGPL-2.1-or-later
// Test fixture: the playback engine on a test PCM that records the played samples, in simulated
// time.
#pragma once

#include "playback/simulated_playback.h"
#include "playback/triangle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace jkvm {

class PlaybackEngineTest : public ::testing::Test, public PlaybackEngine::Host {
protected:
    static constexpr auto packet = std::chrono::milliseconds(20);
    /// How long before its due time a packet is queued: less than half of the ring.
    static constexpr nanoseconds lead = std::chrono::milliseconds(80);
    static constexpr nanoseconds longest_span = std::chrono::microseconds(500);

    PlaybackEngineTest() { pcm_.record_playback(); }

    void start() { start(pcm_); }
    void start(const testing::TestPcm &pcm)
    {
        playback_.emplace(PlaybackEngine::Config{.devices = {pcm.device()},
                                                 .open_pitch_control = open_pitch_control_},
                          *this);
        due_ = monotonic_now() + std::chrono::milliseconds(250);
    }

    /// Plays the triangle on for so long; the last packet is queued in time, not yet played.
    void play(nanoseconds time)
    {
        for (const auto end = queued_ + time; queued_ < end;) {
            playback_->run_until(due_ + queued_ - lead);
            push_packet();
        }
    }
    /// Queues the next packet of the triangle now.
    void push_packet()
    {
        const auto frames = testing::triangle(
            static_cast<std::size_t>(queued_ / std::chrono::milliseconds(1) * 48), 960);
        playback_->push({.format = {PlaybackFormat::Coding::s16, 1}, .due = due_ + queued_},
                        std::as_bytes(std::span(frames)));
        queued_ += packet;
    }
    /// Waits until the queued audio has been played, and ends the recording.
    testing::PlayedAudio stop()
    {
        playback_->run_until(due_ + queued_);
        playback_.reset();
        return testing::PlayedAudio(pcm_);
    }
    [[nodiscard]] nanoseconds due() const { return due_.time_since_epoch(); }
    [[nodiscard]] static nanoseconds now() { return monotonic_now().time_since_epoch(); }

    [[nodiscard]] bool has_reported(DeviceState state, DeviceTrouble trouble) const
    {
        return std::ranges::any_of(reports_, [&](const auto &report) {
            return report.state == state && report.trouble == trouble;
        });
    }

    testing::FakeMonotonicClock clock_{MonotonicTime(std::chrono::hours(1))};
    testing::TestPcm pcm_;
    PitchControlFactory open_pitch_control_;
    std::optional<testing::SimulatedPlayback> playback_;
    MonotonicTime due_{}; // of the first packet
    nanoseconds queued_{0};

private:
    void on_device_changed(const DeviceReport &report) override { reports_.push_back(report); }
    void on_latency_changed(nanoseconds) override {}
    void on_device_position(nanoseconds, MonotonicTime) override {}
    void on_played(const PlaybackEngine::PlayedPacket &) override {}

    std::vector<DeviceReport> reports_;
};

} // namespace jkvm
