// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread of the playback engine, in real time.
#include "playback/playback_thread.h"
#include "playback/triangle.h"

#include "core/base/guarded.h"
#include "core/base/wait_control.h"

#include <gtest/gtest.h>

#include <optional>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class PlaybackThreadTest : public ::testing::Test, public PlaybackEngine::Host {
protected:
    static constexpr auto packet = 20ms;
    /// How long before its due time a packet is queued: more than a busy machine may interrupt this
    /// process.
    static constexpr auto lead = 1s;

    // The thread calls virtual functions, so it must not run while the object is constructed or
    // destroyed.
    void SetUp() override
    {
        pcm_.record_playback();
        playback_.emplace(
            PlaybackThread::Config{.engine = {.devices = {pcm_.device()}, .buffer_time = 3s}},
            *this);
    }
    void TearDown() override { playback_.reset(); }

    testing::TestPcm pcm_;
    std::optional<PlaybackThread> playback_;
    WaitControl pause_; // never set

private:
    void on_device_changed(const DeviceReport &) override {}
    void on_latency_changed(nanoseconds) override {}
    void on_device_position(nanoseconds, MonotonicTime) override {}
    void on_played(const PlaybackEngine::PlayedPacket &) override {}
};

TEST_F(PlaybackThreadTest, KeepsRunningIfRequestsArriveAtAnyMoment)
{
    for (const auto end = monotonic_now() + 300ms; monotonic_now() < end;)
        playback_->flush();
    const auto first_due = monotonic_now() + lead;
    auto due = first_due;
    for (; due < first_due + 500ms; due += packet) {
        const auto frames =
            testing::triangle(static_cast<std::size_t>((due - first_due) / 1ms * 48), 960);
        playback_->push({.format = {PlaybackFormat::Coding::s16, 1}, .due = due},
                        std::as_bytes(std::span(frames)));
    }
    pause_.sleep_until(due);
    playback_.reset();
    const testing::PlayedAudio played(pcm_);
    const auto begin = first_due.time_since_epoch();
    EXPECT_GE(measure_playout(played, begin, begin).frames, 15000u);
}

} // namespace
} // namespace jkvm
