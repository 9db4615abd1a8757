// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/thread_priority.h"

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>
#include <tuple>

namespace jkvm {
namespace {

/// Returns policy, priority and nice value of the calling thread.
std::tuple<int, int, int> scheduling()
{
    sched_param parameter{};
    sched_getparam(0, &parameter);
    return {sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, parameter.sched_priority,
            getpriority(PRIO_PROCESS, 0)};
}

// The granted priority depends on the privileges of the test, but must match the returned value.
TEST(ThreadPriority, GrantsWhatItReturnsAndRestoresTheOldPriority)
{
    std::thread([] {
        const auto before = scheduling();
        ThreadPriority priority;
        const auto granted = priority.raise(5);
        const auto [policy, value, nice] = scheduling();
        EXPECT_EQ(policy == SCHED_FIFO, granted == ThreadPriority::Granted::realtime);
        EXPECT_EQ(nice == -10, granted == ThreadPriority::Granted::nice);
        if (granted == ThreadPriority::Granted::realtime) {
            EXPECT_EQ(value, 5);
        }
        priority.restore();
        EXPECT_EQ(scheduling(), before);
        priority.restore();
        EXPECT_EQ(scheduling(), before);
    }).join();
}

TEST(ThreadPriority, RestoresTheFirstPriorityAfterTwoRaises)
{
    std::thread([] {
        const auto before = scheduling();
        ThreadPriority priority;
        priority.raise(5);
        priority.raise(6);
        priority.restore();
        EXPECT_EQ(scheduling(), before);
    }).join();
}

TEST(ThreadPriority, RestoresTheDefaultOfAThreadThatARaisedOneCreated)
{
    std::thread([] {
        auto expected = scheduling();
        auto &nice = std::get<2>(expected);
        nice = std::max(nice, 0); // the kernel resets a negative one
        ThreadPriority parent;
        const auto granted = parent.raise(5);
        std::thread([&expected, granted] {
            if (granted == ThreadPriority::Granted::realtime) {
                EXPECT_EQ(scheduling(), expected);
            }
            const auto inherited = scheduling();
            ThreadPriority child;
            child.raise(6);
            child.restore();
            EXPECT_EQ(scheduling(), inherited);
        }).join();
    }).join();
}

TEST(ThreadPriority, NamesEachGrant)
{
    EXPECT_STREQ(name_of(ThreadPriority::Granted::realtime), "fifo");
    EXPECT_STREQ(name_of(ThreadPriority::Granted::nice), "nice");
    EXPECT_STREQ(name_of(ThreadPriority::Granted::normal), "normal");
}

} // namespace
} // namespace jkvm
