// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/in_flight_audio.h"

#include "core/base/unique_fd.h"
#include "core/ipc/send/message_memory.h"
#include "core/ipc/socket/connection.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class InFlightAudioTest : public testing::Test {
protected:
    /// Sends a message while the messages that occupy `memory` bytes are unread.
    void send(nanoseconds duration, int memory, std::size_t size = message_size)
    {
        in_flight_.update(memory);
        in_flight_.note_sent(duration, size);
    }

    static constexpr std::size_t message_size = 260; // bytes of a message
    static constexpr std::size_t large = 3000;
    const int message_memory_ = message_memory(message_size);
    const int large_memory_ = message_memory(large);
    InFlightAudio in_flight_;
};

TEST_F(InFlightAudioTest, TakesTheNewestMessagesForUnread)
{
    send(20ms, 0);
    send(20ms, message_memory_, large);
    send(60ms, message_memory_ + large_memory_);
    EXPECT_EQ(in_flight_.duration(2 * message_memory_ + large_memory_), 100ms);
    EXPECT_EQ(in_flight_.duration(message_memory_ + large_memory_), 80ms)
        << "the first one is read";
    EXPECT_EQ(in_flight_.duration(message_memory_), 60ms);
    EXPECT_EQ(in_flight_.duration(0), 0ms);
}

TEST_F(InFlightAudioTest, ForgetsMessagesThatWereRead)
{
    send(20ms, 0);
    send(20ms, 0);
    EXPECT_EQ(in_flight_.duration(2 * message_memory_), 20ms);
}

TEST_F(InFlightAudioTest, CountsTheDurationOfAMessageWithItsLastPart)
{
    send(0ms, 0, large);
    EXPECT_EQ(in_flight_.duration(large_memory_), 0ms);
    send(20ms, large_memory_);
    EXPECT_EQ(in_flight_.duration(large_memory_ + message_memory_), 20ms);
}

TEST_F(InFlightAudioTest, UpperBoundIncludesAllThatWasSentSinceTheUpdate)
{
    for (int i = 0; i < 3; ++i)
        in_flight_.note_sent(20ms, message_size);
    EXPECT_EQ(in_flight_.upper_bound(), 60ms);
    EXPECT_EQ(in_flight_.duration(message_memory_), 20ms)
        << "the unread messages are the newest ones";
    EXPECT_EQ(in_flight_.update(message_memory_), 20ms);
    EXPECT_EQ(in_flight_.upper_bound(), 20ms);
}

TEST_F(InFlightAudioTest, NeedsAnUpdateAfterManyControlMessages)
{
    for (int i = 0; i < 1000; ++i) {
        EXPECT_FALSE(in_flight_.needs_update());
        in_flight_.note_sent(0ms, 17);
    }
    EXPECT_TRUE(in_flight_.needs_update());
    in_flight_.update(0);
    EXPECT_FALSE(in_flight_.needs_update());
}

TEST(MessageMemory, EqualsWhatTheKernelCountsForEverySize)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    const UniqueFd sender(ends[0]);
    const UniqueFd reader(ends[1]);
    std::vector<std::byte> bytes(9000);
    for (const std::size_t size : {17, 20, 192, 193, 260, 385, 705, 1275, 1729, 3776, 3777, 4113}) {
        // Sent in two parts, like a header and its payload.
        std::array<iovec, 2> parts{{{bytes.data(), 17}, {bytes.data(), size - 17}}};
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
        ASSERT_EQ(::sendmsg(sender.get(), &message, 0), static_cast<ssize_t>(size));
        const int counted = send_buffer_used(sender.get());
        EXPECT_GT(counted, static_cast<int>(size));
        EXPECT_EQ(message_memory(size), counted) << size << " bytes";
        EXPECT_EQ(message_memory(size), counted) << size << " bytes, measured before";
        ASSERT_EQ(::recv(reader.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(size));
    }
}

} // namespace
} // namespace jkvm
