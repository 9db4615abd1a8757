// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/device_supervisor.h"

#include "core/timing/capture_timeline.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr auto frame = 20ms;
constexpr MonotonicTime start{1h};

TEST(DeviceSupervisor, RetriesAtOnceThenWithGrowingPauses)
{
    DeviceSupervisor supervisor(1);
    auto now = start;
    EXPECT_TRUE(supervisor.is_open_due(now));
    EXPECT_EQ(supervisor.state(), DeviceState::search);
    int attempts = 0;
    nanoseconds longest{0};
    for (; now < start + 10s; ++attempts) {
        supervisor.on_failed(DeviceTrouble::missing, now);
        EXPECT_FALSE(supervisor.is_open_due(now));
        longest = std::max(longest, supervisor.next_event() - now);
        now = supervisor.next_event();
        EXPECT_TRUE(supervisor.is_open_due(now));
    }
    EXPECT_EQ(supervisor.state(), DeviceState::search);
    EXPECT_EQ(supervisor.trouble(), DeviceTrouble::missing);
    EXPECT_LE(longest, DeviceSupervisor::longest_pause);
    EXPECT_LT(attempts, 70);
}

TEST(DeviceSupervisor, RetriesAtOnceAfterALongRun)
{
    DeviceSupervisor supervisor(1);
    supervisor.on_opened(start);
    EXPECT_EQ(supervisor.state(), DeviceState::open);
    EXPECT_TRUE(supervisor.on_frame(frame, start + frame));
    EXPECT_EQ(supervisor.state(), DeviceState::run);
    EXPECT_FALSE(supervisor.on_frame(frame, start + 2s));
    supervisor.on_failed(DeviceTrouble::unplugged, start + 3s);
    EXPECT_EQ(supervisor.state(), DeviceState::lost);
    EXPECT_TRUE(supervisor.is_open_due(start + 3s));
    // Errors of reopening do not replace the reason.
    supervisor.on_failed(DeviceTrouble::missing, start + 3s);
    EXPECT_EQ(supervisor.trouble(), DeviceTrouble::unplugged);
    supervisor.on_opened(start + 4s);
    supervisor.on_failed(DeviceTrouble::frozen, start + 5s);
    EXPECT_EQ(supervisor.trouble(), DeviceTrouble::frozen);
}

TEST(DeviceSupervisor, KeepsPausesAfterAShortRun)
{
    DeviceSupervisor supervisor(1);
    auto now = start;
    int attempts = 0;
    for (; now < start + 10s; ++attempts) {
        supervisor.on_opened(now);
        supervisor.on_frame(frame, now + frame);
        supervisor.on_failed(DeviceTrouble::io_error, now + frame);
        now = supervisor.next_event();
    }
    EXPECT_LT(attempts, 60);
}

TEST(DeviceSupervisor, DeviceWithoutFramesIsFrozen)
{
    DeviceSupervisor supervisor(1);
    supervisor.on_opened(start);
    EXPECT_FALSE(supervisor.is_frozen(start + 999ms));
    EXPECT_TRUE(supervisor.is_frozen(start + 1s));
    supervisor.on_frame(frame, start + 1s);
    EXPECT_FALSE(supervisor.is_frozen(start + 1s + frame + 249ms));
    EXPECT_TRUE(supervisor.is_frozen(start + 1s + frame + 250ms));
    supervisor.on_restarted(start + 2s);
    EXPECT_FALSE(supervisor.is_frozen(start + 2500ms));
}

TEST(DeviceSupervisor, WaitsTwiceAsLongAsTheLongestStall)
{
    DeviceSupervisor supervisor(1);
    supervisor.on_opened(start);
    auto now = start;
    const auto stall = [&](nanoseconds duration) {
        now += frame + duration;
        EXPECT_FALSE(supervisor.is_frozen(now));
        supervisor.on_frame(frame, now);
    };
    const auto frame_timeout = [&] { return supervisor.next_event() - now - frame; };
    stall(0ms);
    stall(120ms);
    EXPECT_EQ(frame_timeout(), 250ms);
    stall(160ms);
    EXPECT_EQ(frame_timeout(), 320ms);
    stall(10ms);
    EXPECT_EQ(frame_timeout(), 320ms);
    stall(300ms);
    // Reopening must leave time for audio within half a second.
    EXPECT_EQ(frame_timeout(), 400ms);
}

TEST(DeviceSupervisor, NamesStatesAndTroubles)
{
    EXPECT_STREQ(name_of(DeviceState::lost), "lost");
    EXPECT_STREQ(name_of(DeviceTrouble::none), "none");
    EXPECT_STREQ(name_of(DeviceTrouble::stuck), "stuck");
    EXPECT_STREQ(name_of(DeviceTrouble::rate_changed), "rate-changed");
}

// A short version of the owner on a fake clock: audio while the device is present, else silence at
// the pace of the clock.
TEST(DeviceSupervisor, AudioReturnsWithinHalfASecondAfterEachOfAThousandUnplugs)
{
    DeviceSupervisor supervisor(1);
    CaptureTimeline timeline;
    auto now = start;
    auto device_start = start;
    auto change = start + 2s; // next unplug or return
    bool is_plugged = true;
    int returns = 0;
    nanoseconds worst{0};
    MonotonicTime returned = start;
    nanoseconds position{0};
    auto end = (start - MonotonicTime{});

    while (returns < 1000) {
        if (now >= change) {
            is_plugged = !is_plugged;
            returned = now;
            // Varying phases, some shorter than a second.
            change = now + 300ms + (returns % 17) * 150ms + std::chrono::microseconds(7 * returns);
        }
        if (supervisor.is_open() && !is_plugged)
            supervisor.on_failed(DeviceTrouble::unplugged, now);
        if (supervisor.is_open_due(now)) {
            if (is_plugged) {
                supervisor.on_opened(now);
                timeline.restart_device();
                device_start = now;
                position = 0ns;
            } else {
                supervisor.on_failed(DeviceTrouble::missing, now);
            }
        }
        if (!timeline.next())
            end = (now - MonotonicTime{}) +
                  timeline.place_silence(now - MonotonicTime{}, frame).duration;
        const auto captured = device_start - MonotonicTime{} + position;
        if (supervisor.is_open() && captured < end - 1us) {
            position += end - captured; // silence was already output for that time
        } else if (supervisor.is_open() && now - MonotonicTime{} >= captured + frame) {
            if (supervisor.on_frame(frame, now)) {
                worst = std::max(worst, now - returned);
                ++returns;
            }
            const auto stamp = timeline.place(position, captured, frame);
            ASSERT_FALSE(stamp.discontinuity);
            ASSERT_EQ(stamp.time, end);
            end = stamp.time + stamp.duration;
            position += frame;
        } else if (supervisor.state() != DeviceState::run && now - MonotonicTime{} >= end + frame) {
            const auto stamp = timeline.place_silence(0ns, frame);
            ASSERT_EQ(stamp.time, end);
            end += frame;
        }
        now += 1ms;
        ASSERT_LT(std::chrono::abs(now - MonotonicTime{} - end), 50ms) << "fell behind the clock";
    }
    EXPECT_LT(worst, 500ms);
}

TEST(DeviceSupervisor, KeepsABlockedDeviceOpenUntilItMoves)
{
    DeviceSupervisor device(1);
    const MonotonicTime start{1h};
    device.on_opened(start);
    device.on_frame(20ms, start);
    device.on_blocked();
    EXPECT_EQ(device.state(), DeviceState::blocked);
    EXPECT_EQ(device.trouble(), DeviceTrouble::frozen);
    EXPECT_FALSE(device.is_open_due(start + 24h));
    EXPECT_FALSE(device.is_frozen(start + 24h));
    EXPECT_TRUE(device.on_frame(20ms, start + 24h));
    EXPECT_EQ(device.state(), DeviceState::run);
}

} // namespace
} // namespace jkvm
