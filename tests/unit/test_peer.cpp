// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/peer.h"

#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t payload_size = 1000;
constexpr std::size_t message_size = 17 + payload_size;

/// A peer whose reader is in our hand.
class PeerTest : public ::testing::Test {
protected:
    PeerTest()
    {
        std::array<int, 2> fds{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
        reader_.reset(fds[0]);
        peer_.emplace(UniqueFd(fds[1]), 100ms);
    }

    bool send(unsigned number)
    {
        payload_.assign(payload_size, static_cast<std::byte>(number));
        OutgoingMessage message(wire::HeaderBytes({}, {.length = payload_size,
                                                       .timestamp = WallTime(nanoseconds(number))}),
                                payload_, 20ms);
        return peer_->send(message);
    }
    /// Sends frames until the kernel takes no more; the number of frames that went out whole.
    unsigned fill()
    {
        unsigned number = 0;
        while (!peer_->is_waiting())
            EXPECT_TRUE(send(number++));
        return number - 1;
    }
    /// The number of the next frame on the wire; -1 when the stream is out of step.
    int read_frame()
    {
        const auto bytes = testing::receive(reader_.get(), message_size);
        if (bytes.size() != message_size || bytes[0] != 0x55 || bytes[3] != 0x4A)
            return -1;
        for (std::size_t i = 17; i < message_size; ++i)
            if (bytes[i] != bytes[9])
                return -1;
        return bytes[9];
    }

    UniqueFd reader_;
    std::optional<Peer> peer_;
    std::vector<std::byte> payload_;
};

TEST_F(PeerTest, FrameGoesOutAtOnceAndIsCountedOnce)
{
    ASSERT_TRUE(send(7));
    EXPECT_FALSE(peer_->is_waiting());
    EXPECT_EQ(read_frame(), 7);
    EXPECT_EQ(peer_->counters().frames, 1u);
    EXPECT_EQ(peer_->counters().bytes, message_size);
    EXPECT_EQ(peer_->counters().dropped, 0u);
}

TEST_F(PeerTest, SlowReaderLosesTheOldestFramesAndTheQueueStaysWithinItsTime)
{
    const unsigned whole = fill(); // this many are in the kernel, one waits
    for (unsigned i = 1; i < 100; ++i) {
        ASSERT_TRUE(send(whole + i));
        ASSERT_LE(peer_->queued(), 100ms);
    }
    EXPECT_EQ(peer_->counters().dropped, 95u);
    for (unsigned i = 0; i < whole; ++i)
        ASSERT_EQ(read_frame(), static_cast<int>(i % 256));
    ASSERT_TRUE(peer_->flush());
    EXPECT_FALSE(peer_->is_waiting());
    for (unsigned i = 95; i < 100; ++i) // 5 x 20 ms: the newest
        ASSERT_EQ(read_frame(), static_cast<int>((whole + i) % 256));
    EXPECT_EQ(peer_->counters().frames, whole + 5u);
    EXPECT_EQ(peer_->queued(), 0ns);
}

TEST_F(PeerTest, MessageOnceBegunIsFinishedWhateverHadToGo)
{
    // A small, odd amount of room makes the kernel take a part of a message.
    const int small = 5000;
    ASSERT_EQ(::setsockopt(peer_->fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    const unsigned whole = fill();
    for (unsigned i = 1; i < 50; ++i)
        ASSERT_TRUE(send(whole + i));
    unsigned seen = 0;
    int last = -1;
    while (peer_->is_waiting() || seen < peer_->counters().frames) {
        const int number = read_frame();
        ASSERT_GE(number, 0) << "the reader lost its place in the stream";
        ASSERT_GT(number, last);
        last = number;
        ++seen;
        ASSERT_TRUE(peer_->flush());
    }
    EXPECT_EQ(seen + peer_->counters().dropped, whole + 50);
}

TEST_F(PeerTest, ReaderThatWentAwayIsReported)
{
    reader_.reset();
    EXPECT_FALSE(send(1));
    EXPECT_EQ(peer_->counters().frames, 0u);
}

} // namespace
} // namespace jkvm
