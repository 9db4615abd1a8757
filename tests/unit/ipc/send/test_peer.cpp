// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer.h"

#include "support/descriptors.h"
#include "support/raw_socket.h"
#include "unit/ipc/interposed_calls.h"

#include <gtest/gtest.h>

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// A peer whose reading end the test controls.
class PeerTest : public ::testing::Test {
protected:
    PeerTest() { connect(); }

    void connect()
    {
        std::array<int, 2> fds{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
        reader_.reset(fds[0]);
        peer_.emplace(UniqueFd(fds[1]), max_queued_);
    }

    bool send(unsigned number, nanoseconds duration = 20ms)
    {
        payload_.assign(payload_size_, static_cast<std::byte>(number));
        OutgoingMessage message(
            wire::HeaderBytes({}, {.length = static_cast<std::uint32_t>(payload_size_),
                                   .timestamp = WallTime(nanoseconds(number))}),
            payload_, duration);
        return peer_->send(message, now_);
    }
    /// Sends frames until one has to wait. Returns the number of frames written whole.
    unsigned fill()
    {
        unsigned number = 0;
        while (!peer_->is_waiting())
            EXPECT_TRUE(send(number++));
        return number - 1;
    }
    /// Finds a size of the kernel's buffer at which it accepts only a part of a message with this
    /// payload. Returns the number of whole messages before it. Each message has that duration.
    unsigned fill_until_partly_written(nanoseconds duration, std::size_t payload_size)
    {
        payload_size_ = payload_size;
        for (int buffer = 2000; buffer < 60000; buffer += 500) {
            connect();
            EXPECT_EQ(::setsockopt(peer_->fd(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer), 0);
            unsigned number = 0;
            while (!peer_->is_waiting() && peer_->counters().dropped == 0)
                EXPECT_TRUE(send(number++, duration));
            if (peer_->counters().bytes % (17 + payload_size_) != 0)
                return number - 1;
        }
        ADD_FAILURE() << "the kernel never splits a message, so nothing is tested";
        return 0;
    }
    /// Returns the number of the next frame on the wire; -1 if the stream lost synchronisation.
    int read_frame()
    {
        const auto bytes = testing::receive(reader_.get(), 17 + payload_size_);
        if (bytes.size() != 17 + payload_size_ || bytes[0] != 0x55 || bytes[3] != 0x4A)
            return -1;
        for (std::size_t i = 17; i < bytes.size(); ++i)
            if (bytes[i] != bytes[9])
                return -1;
        return bytes[9];
    }

    UniqueFd reader_;
    std::optional<Peer> peer_;
    std::vector<std::byte> payload_;
    std::size_t payload_size_ = 1000;
    WallTime now_{};
    nanoseconds max_queued_ = 100ms;
};

TEST_F(PeerTest, WritesAFrameAtOnceAndCountsItOnce)
{
    ASSERT_TRUE(send(7));
    EXPECT_FALSE(peer_->is_waiting());
    EXPECT_EQ(read_frame(), 7);
    EXPECT_EQ(peer_->counters().frames, 1u);
    EXPECT_EQ(peer_->counters().bytes, 1017u);
    EXPECT_EQ(peer_->counters().dropped, 0u);
}

TEST_F(PeerTest, LeavesRoomForOneFrameOutsideTheKernel)
{
    EXPECT_EQ(fill(), 4u); // 20 ms each, of 100 ms
    EXPECT_EQ(peer_->waits_for(), Peer::Wait::reader);
    EXPECT_EQ(peer_->queued_frames(), 1u);
    EXPECT_EQ(peer_->queued(), 100ms);
    EXPECT_EQ(peer_->counters().max_queued, 100ms);
    EXPECT_EQ(read_frame(), 0);
    EXPECT_EQ(peer_->queued(), 80ms);
    ASSERT_TRUE(peer_->flush(now_));
    EXPECT_FALSE(peer_->is_waiting());
    EXPECT_EQ(peer_->queued(), 80ms);
}

TEST_F(PeerTest, PassesAtMostHalfOfALongQueueToTheKernel)
{
    max_queued_ = 1s;
    connect();
    EXPECT_EQ(fill(), 25u);
    EXPECT_EQ(peer_->waits_for(), Peer::Wait::reader);
}

TEST_F(PeerTest, HoldsOneLongFrameInTheKernelAndOneInTheQueue)
{
    ASSERT_TRUE(send(0, 120ms));
    EXPECT_FALSE(peer_->is_waiting());
    ASSERT_TRUE(send(1, 120ms));
    EXPECT_EQ(peer_->waits_for(), Peer::Wait::reader);
    EXPECT_EQ(peer_->counters().max_queued, 240ms);
    ASSERT_TRUE(send(2, 120ms));
    EXPECT_EQ(peer_->queued_frames(), 1u);
    EXPECT_EQ(peer_->counters().dropped, 1u);
    EXPECT_EQ(read_frame(), 0);
    ASSERT_TRUE(peer_->flush(now_));
    EXPECT_EQ(read_frame(), 2);
}

TEST_F(PeerTest, DropsTheOldestFramesAndKeepsTheQueueWithinItsBound)
{
    const unsigned whole = fill(); // this many are in the kernel, one waits
    for (unsigned i = 1; i < 100; ++i) {
        ASSERT_TRUE(send(whole + i));
        ASSERT_EQ(peer_->queued(), 100ms);
    }
    EXPECT_EQ(peer_->counters().dropped, 99u);
    EXPECT_EQ(peer_->dropped_in_a_row(), 99u);
    EXPECT_EQ(peer_->counters().max_queued, 100ms);
    for (unsigned i = 0; i < whole; ++i)
        ASSERT_EQ(read_frame(), static_cast<int>(i));
    ASSERT_TRUE(peer_->flush(now_));
    EXPECT_EQ(read_frame(), static_cast<int>(whole + 99)) << "the newest";
    EXPECT_FALSE(peer_->is_waiting());
    EXPECT_EQ(peer_->counters().frames, whole + 1u);
    EXPECT_EQ(peer_->queued(), 0ns);
}

TEST_F(PeerTest, LosesNothingForAReaderThatLagsByAFrame)
{
    ASSERT_TRUE(send(0));
    for (unsigned i = 1; i < 200; ++i) {
        ASSERT_TRUE(send(i));
        ASSERT_FALSE(peer_->is_waiting());
        ASSERT_EQ(read_frame(), static_cast<int>(i - 1));
    }
}

TEST_F(PeerTest, PassesTheWholeQueueToTheKernelWhenItFinishes)
{
    fill();
    peer_->finish_writing();
    ASSERT_TRUE(peer_->flush(now_));
    EXPECT_FALSE(peer_->is_waiting());
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(read_frame(), i);
}

TEST_F(PeerTest, FinishesAPartlyWrittenMessageBeforeAnyOther)
{
    const int whole = static_cast<int>(fill_until_partly_written(20ms, 4000));
    const int kept = 5 - whole; // of 100 ms, including the partly written one
    for (int i = 1; i < 50; ++i)
        ASSERT_TRUE(send(static_cast<unsigned>(whole + i)));
    EXPECT_EQ(peer_->counters().dropped, 50u - static_cast<unsigned>(kept));
    std::vector<int> seen;
    while (peer_->is_waiting()) {
        seen.push_back(read_frame());
        ASSERT_TRUE(peer_->flush(now_));
    }
    while (seen.size() < peer_->counters().frames)
        seen.push_back(read_frame());
    std::vector<int> expected;
    for (int i = 0; i <= whole; ++i)
        expected.push_back(i);
    for (int i = 51 - kept; i < 50; ++i)
        expected.push_back(whole + i);
    EXPECT_EQ(seen, expected);
}

TEST_F(PeerTest, FinishesAPartlyWrittenMessageThatIsLongerThanTheBound)
{
    ASSERT_EQ(fill_until_partly_written(120ms, 40000), 0u);
    EXPECT_EQ(peer_->waits_for(), Peer::Wait::kernel);
    EXPECT_EQ(peer_->counters().dropped, 0u);
    std::size_t read = 0;
    while (peer_->is_waiting()) {
        read += testing::receive(reader_.get(), 1000).size();
        ASSERT_TRUE(peer_->flush(now_));
    }
    EXPECT_EQ(testing::receive(reader_.get(), 40017 - read).size(), 40017 - read);
    EXPECT_EQ(peer_->counters().frames, 1u);
}

TEST_F(PeerTest, BoundsTheQueuedControlMessages)
{
    fill();
    int accepted = 0;
    while (accepted < 100000 && send(1, 0ms))
        ++accepted;
    EXPECT_LE(accepted, 1000);
}

TEST_F(PeerTest, MeasuresTheLatencyUntilTheKernelHasTheWholeFrame)
{
    now_ = WallTime(5ms); // every frame here was captured at the epoch
    fill();
    EXPECT_EQ(peer_->counters().latency.values().maximum, 5ms);
    EXPECT_EQ(peer_->queued_frames(), 1u);
    while (peer_->is_waiting()) {
        read_frame();
        ASSERT_TRUE(peer_->flush(WallTime(90ms)));
    }
    EXPECT_EQ(peer_->queued_frames(), 0u);
    EXPECT_EQ(peer_->counters().latency.values().current, 90ms);
}

TEST_F(PeerTest, ReportsAReaderThatClosed)
{
    reader_.reset();
    EXPECT_FALSE(send(1));
    EXPECT_FALSE(send(2));
    EXPECT_EQ(peer_->counters().frames, 0u);
    EXPECT_EQ(peer_->counters().undeliverable, 2u);
}

TEST_F(PeerTest, SendsAnAttachedDescriptorOnce)
{
    const auto before = testing::count_descriptors();
    peer_->attach(UniqueFd(::eventfd(0, EFD_CLOEXEC)));
    EXPECT_EQ(testing::count_descriptors(), before + 1);
    ASSERT_TRUE(send(0));
    ASSERT_TRUE(send(1));
    EXPECT_EQ(testing::count_descriptors(), before) << "the kernel holds the only one";
    EXPECT_EQ(testing::receive_descriptors(reader_.get(), 1017).descriptors.size(), 1u);
    EXPECT_TRUE(testing::receive_descriptors(reader_.get(), 1017).descriptors.empty());
}

TEST_F(PeerTest, SendsAnAttachedDescriptorWithTheFirstPartOfAMessage)
{
    peer_->attach(UniqueFd(::eventfd(0, EFD_CLOEXEC)));
    testing::limit_of_next_sendmsg = 5;
    ASSERT_TRUE(send(7));
    EXPECT_TRUE(peer_->is_waiting());
    auto first = testing::receive_descriptors(reader_.get(), 5);
    EXPECT_EQ(first.bytes.size(), 5u);
    EXPECT_EQ(first.descriptors.size(), 1u);
    ASSERT_TRUE(peer_->flush(now_));
    EXPECT_FALSE(peer_->is_waiting());
    auto rest = testing::receive_descriptors(reader_.get(), 1012);
    EXPECT_EQ(rest.bytes.size(), 1012u);
    EXPECT_TRUE(rest.descriptors.empty());
}

TEST_F(PeerTest, KeepsAnAttachedDescriptorUntilTheKernelAcceptsAByte)
{
    // The socket is full before the peer sends its first message.
    const std::vector<std::uint8_t> filling(1000);
    while (::send(peer_->fd(), filling.data(), filling.size(), MSG_DONTWAIT) > 0) {
    }
    peer_->attach(UniqueFd(::eventfd(0, EFD_CLOEXEC)));
    ASSERT_TRUE(send(7));
    EXPECT_EQ(peer_->counters().bytes, 0u);
    while (::recv(reader_.get(), payload_.data(), payload_.size(), MSG_DONTWAIT) > 0) {
    }
    ASSERT_TRUE(peer_->flush(now_));
    EXPECT_EQ(testing::receive_descriptors(reader_.get(), 1017).descriptors.size(), 1u);
}

} // namespace
} // namespace jkvm
