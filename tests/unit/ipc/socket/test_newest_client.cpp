// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/newest_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace jkvm {
namespace {

constexpr ProcessIdentity a{1, 100};
constexpr ProcessIdentity b{2, 200};
constexpr ProcessIdentity c{3, 300};

TEST(NewestClient, TurnsAwayADisplacedProcessWhileTheNewestIsConnected)
{
    NewestClient clients;
    EXPECT_TRUE(clients.admit(a));
    EXPECT_TRUE(clients.admit(b));
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(clients.admit(a));
    EXPECT_TRUE(clients.admit(c));
    EXPECT_FALSE(clients.admit(a));
    EXPECT_FALSE(clients.admit(b));
}

TEST(NewestClient, AdmitsADisplacedProcessWhenNoClientIsConnected)
{
    NewestClient clients;
    EXPECT_TRUE(clients.admit(a));
    EXPECT_TRUE(clients.admit(b));
    clients.on_disconnected();
    EXPECT_TRUE(clients.admit(a));
}

TEST(NewestClient, LetsAProcessReplaceItsOwnConnection)
{
    NewestClient clients;
    EXPECT_TRUE(clients.admit(a));
    EXPECT_TRUE(clients.admit(b));
    EXPECT_TRUE(clients.admit(b));
    EXPECT_FALSE(clients.admit(a));
}

TEST(NewestClient, AdmitsANewProcessThatReusesAProcessId)
{
    NewestClient clients;
    EXPECT_TRUE(clients.admit(a));
    EXPECT_TRUE(clients.admit(b));
    EXPECT_TRUE(clients.admit({a.pid, a.start_time + 1}));
}

TEST(NewestClient, IdentifiesAProcessByItsStartTime)
{
    const auto self = identify_process(::getpid());
    EXPECT_EQ(self.pid, ::getpid());
    EXPECT_GT(self.start_time, 0u);
    EXPECT_EQ(self, identify_process(::getpid()));
    EXPECT_NE(self.start_time, identify_process(1).start_time);
}

} // namespace
} // namespace jkvm
