// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/unread_sound.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class UnreadSoundTest : public testing::Test {
protected:
    /// The kernel counts `before` and `after` around a message.
    void send(nanoseconds duration, int before, int after, std::size_t size = 260)
    {
        unread_.look(before);
        if (unread_.is_learning(size))
            unread_.learn(size, before, after);
        unread_.note_sent(duration, size);
    }

    UnreadSound unread_;
};

TEST_F(UnreadSoundTest, NewestMessagesAreThoseThatTheKernelStillHolds)
{
    send(20ms, 0, 768, 100);
    send(20ms, 768, 2048, 400); // a larger one
    send(60ms, 2048, 2816, 100);
    EXPECT_EQ(unread_.time(2816), 100ms);
    EXPECT_EQ(unread_.time(2048), 80ms) << "the first one is read";
    EXPECT_EQ(unread_.time(768), 60ms);
    EXPECT_EQ(unread_.time(0), 0ms);
}

TEST_F(UnreadSoundTest, WhatWasReadIsNotCountedAgain)
{
    send(20ms, 0, 768);
    send(20ms, 0, 768);
    EXPECT_EQ(unread_.time(1536), 20ms);
}

TEST_F(UnreadSoundTest, OnlyTheLastPartOfAMessageHasItsTime)
{
    send(0ms, 0, 4608, 3000);
    EXPECT_EQ(unread_.time(4608), 0ms);
    send(20ms, 4608, 5376, 100);
    EXPECT_EQ(unread_.time(5376), 20ms);
}

TEST_F(UnreadSoundTest, ReaderThatReadsBetweenTheTwoCountsHidesNoMessage)
{
    send(20ms, 0, 768);
    send(20ms, 768, 768); // the first one was read meanwhile
    EXPECT_EQ(unread_.time(768), 20ms);
    send(20ms, 768, 0); // all was
    EXPECT_EQ(unread_.time(0), 0ms);
    send(20ms, 0, 768);
    EXPECT_EQ(unread_.time(768), 20ms);
}

TEST_F(UnreadSoundTest, OnceItKnowsASizeTheCountBeforeIsEnough)
{
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(unread_.is_learning(260));
        send(20ms, 0, 1280);
    }
    EXPECT_FALSE(unread_.is_learning(260));
    EXPECT_FALSE(unread_.is_learning(300)) << "the kernel takes the same for it";
    EXPECT_TRUE(unread_.is_learning(400));
    unread_.look(1280);
    unread_.note_sent(20ms, 260);
    EXPECT_EQ(unread_.time(2560), 40ms);
}

TEST_F(UnreadSoundTest, WhatItNeverSawTakesWhatLinuxTakes)
{
    for (int i = 0; i < 5; ++i)
        unread_.note_sent(20ms, 260);
    EXPECT_EQ(unread_.time(5 * 1280), 100ms);
    EXPECT_EQ(unread_.time(2 * 1280), 40ms);
    EXPECT_EQ(unread_.time(0), 0ms);
    for (int i = 0; i < 2; ++i)
        unread_.note_sent(20ms, 4113);
    EXPECT_EQ(unread_.time(4864), 20ms);
    EXPECT_EQ(unread_.time(2 * 4864 + 1280), 60ms);
}

TEST_F(UnreadSoundTest, WhatItSawIsRightOnAnyKernel)
{
    send(20ms, 0, 832);
    send(20ms, 832, 1664);
    EXPECT_EQ(unread_.time(1664), 40ms);
}

TEST_F(UnreadSoundTest, WithoutALookAllThatWasSentMayBeUnread)
{
    send(20ms, 0, 768);
    unread_.note_sent(20ms, 260);
    unread_.note_sent(20ms, 260);
    EXPECT_EQ(unread_.at_most(), 60ms);
    EXPECT_EQ(unread_.time(768), 20ms) << "what is unread is the newest all the same";
    EXPECT_EQ(unread_.look(768), 20ms);
    EXPECT_EQ(unread_.at_most(), 20ms);
}

TEST_F(UnreadSoundTest, ManyMessagesWithoutSoundAreWorthALookToo)
{
    for (int i = 0; i < 1000; ++i) {
        EXPECT_FALSE(unread_.is_long());
        unread_.note_sent(0ms, 17);
    }
    EXPECT_TRUE(unread_.is_long());
    unread_.look(0);
    EXPECT_FALSE(unread_.is_long());
}

} // namespace
} // namespace jkvm
