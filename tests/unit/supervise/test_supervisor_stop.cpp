// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests deliberate stops of a supervised child.
#include "supervision.h"

#include <csignal>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using SupervisionStop = testing::Supervision;
using testing::healthy;

TEST_F(SupervisionStop, CountsNoFailureForADeliberateStop)
{
    start(healthy);
    const auto pid = observer_.wait_for_starts(1).started.front();
    const auto stats = supervisor_->stop();
    EXPECT_FALSE(stats.running);
    EXPECT_EQ(stats.pid, 0);
    EXPECT_EQ(stats.last_exit, "stopped");
    EXPECT_EQ(stats.exits + stats.kills + stats.hangs + stats.failures, 0u);
    EXPECT_TRUE(observer_.wait_for_starts(1).ended.empty());
    EXPECT_NE(::kill(pid, 0), 0) << "the process or its zombie still exists";
}

TEST_F(SupervisionStop, GivesAChildTimeToFinish)
{
    const auto script =
        "trap 'echo done >&2; exit' TERM; printf x >&3; while :; do sleep 0.01; done";
    ::testing::internal::CaptureStderr(); // the child's output is forwarded
    start(script);
    observer_.wait_for_starts(1);
    wait_for_heartbeat(); // before the trap is set, SIGTERM kills it
    supervisor_->stop();
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "done\n");
}

TEST_F(SupervisionStop, KillsAChildThatIgnoresSigterm)
{
    config_.stop_timeout = 50ms;
    start("trap '' TERM; printf x >&3; exec sleep 1000");
    const auto pid = observer_.wait_for_starts(1).started.front();
    wait_for_heartbeat();
    supervisor_->stop();
    EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(SupervisionStop, TerminatesAStoppedChildBeforeTheTimeout)
{
    config_.stop_timeout = 1h;
    config_.hang_timeout = 0s;
    start(healthy);
    ::kill(observer_.wait_for_starts(1).started.front(), SIGSTOP);
    EXPECT_EQ(supervisor_->stop().last_exit, "stopped");
}

TEST_F(SupervisionStop, CanBeStoppedWhileARestartIsDelayed)
{
    config_.limits = {.delay = 1h, .max_delay = 1h};
    config_.command = {{"/bin/sh", "-c", "exit 1"}, {}};
    auto supervisor = Supervisor::start(config_, observer_, control_);
    ASSERT_TRUE(supervisor);
    observer_.wait_for_ends(1);
    EXPECT_EQ((*supervisor)->stop().last_exit, "exited with status 1");
}

} // namespace
} // namespace jkvm
