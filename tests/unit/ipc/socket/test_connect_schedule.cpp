// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/connect_schedule.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class ConnectScheduleTest : public ::testing::Test {
protected:
    /// Fails one attempt at its time. Returns the pause before it.
    nanoseconds fail_once(bool is_watching = true)
    {
        const auto pause = schedule_.next_attempt() - now_;
        now_ = std::max(now_, schedule_.next_attempt());
        schedule_.on_unreachable(now_, is_watching);
        return pause;
    }
    void make_connection(nanoseconds duration)
    {
        schedule_.on_connected(now_);
        now_ += duration;
        schedule_.on_closed(now_, false);
    }

    MonotonicTime now_{1h};
    ConnectSchedule schedule_{{}};
};

TEST_F(ConnectScheduleTest, PausesGrowToTheLongest)
{
    fail_once();
    EXPECT_LE(fail_once(), 50ms);
    for (int i = 0; i < 10; ++i)
        fail_once();
    EXPECT_GE(fail_once(), 1500ms);
    EXPECT_LE(fail_once(), 2s);
}

TEST_F(ConnectScheduleTest, PausesAreShortAfterAConnectionThatLasted)
{
    for (int i = 0; i < 10; ++i)
        fail_once();
    make_connection(1s);
    EXPECT_LE(fail_once(), 50ms);
}

TEST_F(ConnectScheduleTest, PausesGrowIfConnectionsAreClosedImmediately)
{
    for (int i = 0; i < 10; ++i)
        make_connection(1ms);
    EXPECT_GE(fail_once(), 1500ms);
}

TEST_F(ConnectScheduleTest, PausesGrowIfThisEndIsTurnedAwayAfterALongWait)
{
    for (int i = 0; i < 10; ++i) {
        schedule_.on_connected(now_);
        now_ += 2s;
        schedule_.on_closed(now_, true);
    }
    EXPECT_GE(fail_once(), 1500ms);
}

TEST_F(ConnectScheduleTest, RetriesEvery10MsForASecondAfterTheSocketAppeared)
{
    for (int i = 0; i < 10; ++i)
        fail_once();
    schedule_.on_socket_appeared(now_);
    EXPECT_EQ(fail_once(), 0ms);
    const auto end = now_ + 1s;
    while (now_ + 10ms < end)
        EXPECT_EQ(fail_once(), 10ms);
    fail_once();
    EXPECT_GE(fail_once(), 37ms);
}

TEST_F(ConnectScheduleTest, PollsAMinuteWithoutAWatchAfterAServerWasThere)
{
    for (int i = 0; i < 10; ++i)
        fail_once(false);
    EXPECT_GE(fail_once(false), 1500ms) << "no server was ever there";
    make_connection(1ms);
    const auto end = now_ + 59s;
    fail_once(false);
    while (now_ < end)
        EXPECT_LE(fail_once(false), 250ms);
    now_ += 2s;
    fail_once(false);
    EXPECT_GE(fail_once(false), 1500ms);
}

} // namespace
} // namespace jkvm
