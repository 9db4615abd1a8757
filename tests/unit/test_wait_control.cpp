// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/wait_control.h"

#include <gtest/gtest.h>

#include <poll.h>

namespace jkvm {
namespace {

bool is_readable(const WaitControl &control)
{
    pollfd entry{control.fd(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

TEST(WaitControl, InterruptHoldsUntilResume)
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

TEST(WaitControl, RestartHoldsUntilItIsTakenWhateverElseHappens)
{
    WaitControl control;
    control.ask_restart();
    control.interrupt();
    control.resume();
    EXPECT_TRUE(is_readable(control));
    EXPECT_TRUE(control.is_set());
    EXPECT_TRUE(control.take_restart());
    EXPECT_FALSE(is_readable(control));
    EXPECT_FALSE(control.take_restart());
}

} // namespace
} // namespace jkvm
