// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/wait_control.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

bool is_readable(const WaitControl &control)
{
    pollfd entry{control.fd(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

TEST(WaitControl, StaysInterruptedUntilResumed)
{
    WaitControl control;
    EXPECT_FALSE(is_readable(control));
    control.interrupt();
    EXPECT_TRUE(is_readable(control));
    EXPECT_TRUE(control.is_set());
    EXPECT_FALSE(control.take_restart());
    EXPECT_TRUE(is_readable(control));
    control.resume();
    EXPECT_FALSE(is_readable(control));
    EXPECT_FALSE(control.is_set());
}

TEST(WaitControl, IsNotInterruptedByOtherRequests)
{
    WaitControl control;
    control.request_wake_up();
    control.request_restart();
    EXPECT_TRUE(control.is_set());
    EXPECT_FALSE(control.is_interrupted());
    control.interrupt();
    EXPECT_TRUE(control.is_interrupted());
    control.resume();
    EXPECT_FALSE(control.is_interrupted());
}

TEST(WaitControl, KeepsARestartRequestUntilItIsTaken)
{
    WaitControl control;
    control.request_restart();
    control.interrupt();
    control.resume();
    EXPECT_TRUE(is_readable(control));
    EXPECT_TRUE(control.is_set());
    EXPECT_TRUE(control.take_restart());
    EXPECT_FALSE(is_readable(control));
    EXPECT_FALSE(control.take_restart());
}

TEST(WaitControl, SleepsUntilTheTimeOrARequest)
{
    WaitControl control;
    const auto soon = monotonic_now() + 5ms;
    EXPECT_FALSE(control.sleep_until(soon));
    EXPECT_GE(monotonic_now(), soon);
    EXPECT_FALSE(control.sleep_until(MonotonicTime::min())) << "in the past";

    std::thread other([&] { control.request_wake_up(); });
    EXPECT_TRUE(control.sleep_until(monotonic_now() + 1h));
    other.join();
    EXPECT_TRUE(control.sleep_until(monotonic_now() + 1h)) << "the request is still pending";
}

} // namespace
} // namespace jkvm
