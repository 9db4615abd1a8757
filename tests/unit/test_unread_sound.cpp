// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/unread_sound.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(UnreadSound, NewestMessagesAreThoseThatTheKernelStillHolds)
{
    UnreadSound unread;
    unread.note_sent(20ms, 0, 768);
    unread.note_sent(20ms, 768, 2048); // a larger one
    unread.note_sent(60ms, 2048, 2816);
    EXPECT_EQ(unread.time(2816), 100ms);
    EXPECT_EQ(unread.time(2048), 80ms) << "the first one is read";
    EXPECT_EQ(unread.time(768), 60ms);
    EXPECT_EQ(unread.time(0), 0ms);
}

TEST(UnreadSound, WhatWasReadIsNotCountedAgain)
{
    UnreadSound unread;
    unread.note_sent(20ms, 0, 768);
    unread.note_sent(20ms, 0, 768);
    EXPECT_EQ(unread.time(1536), 20ms);
}

TEST(UnreadSound, OnlyTheLastPartOfAMessageHasItsTime)
{
    UnreadSound unread;
    unread.note_sent(0ms, 0, 4608);
    EXPECT_EQ(unread.time(4608), 0ms);
    unread.note_sent(20ms, 4608, 5376);
    EXPECT_EQ(unread.time(5376), 20ms);
}

TEST(UnreadSound, ReaderThatReadsBetweenTheTwoCountsHidesNoMessage)
{
    UnreadSound unread;
    unread.note_sent(20ms, 0, 768);
    unread.note_sent(20ms, 768, 768); // the first one was read meanwhile
    EXPECT_EQ(unread.time(768), 20ms);
    unread.note_sent(20ms, 768, 0); // all was
    EXPECT_EQ(unread.time(0), 0ms);
    unread.note_sent(20ms, 0, 768);
    EXPECT_EQ(unread.time(768), 20ms);
}

} // namespace
} // namespace jkvm
