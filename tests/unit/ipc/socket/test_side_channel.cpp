// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/side_channel.h"

#include "support/descriptors.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <array>

namespace jkvm {
namespace {

using Outcome = SideChannel::Outcome;

wire::SettingsRequest request(std::uint32_t bitrate)
{
    return {.config = {.bitrate = bitrate}};
}

/// A side channel, and a connection over which descriptors are sent.
class SideChannelTest : public ::testing::Test {
protected:
    SideChannelTest()
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        reader_.reset(ends[0]);
        writer_.reset(ends[1]);
        auto pair = SideChannel::make_pair();
        EXPECT_TRUE(pair);
        own_.emplace(std::move(pair->own));
        other_ = std::move(pair->other);
    }
    ssize_t receive() { return receive_with_side_channel(reader_.get(), space_, received_); }
    Outcome send_request(std::uint32_t bitrate)
    {
        return own_->send(wire::encode_side_message(request(bitrate)));
    }

    UniqueFd reader_;
    UniqueFd writer_;
    std::optional<SideChannel> own_;
    UniqueFd other_;
    std::array<std::byte, 100> space_{};
    std::optional<SideChannel> received_;
    const std::vector<std::uint8_t> bytes_{1, 2, 3};
};

TEST_F(SideChannelTest, CarriesMessagesOneByOne)
{
    auto other = SideChannel::adopt(std::move(other_));
    ASSERT_TRUE(other);
    wire::SideMessage message;
    EXPECT_EQ(other->receive(message), Outcome::retry);
    EXPECT_EQ(send_request(32000), Outcome::done);
    EXPECT_EQ(send_request(64000), Outcome::done);
    ASSERT_EQ(other->receive(message), Outcome::done);
    EXPECT_EQ(message, wire::SideMessage(request(32000)));
    ASSERT_EQ(other->receive(message), Outcome::done);
    EXPECT_EQ(message, wire::SideMessage(request(64000)));
    own_.reset();
    EXPECT_EQ(other->receive(message), Outcome::closed);
}

TEST_F(SideChannelTest, IgnoresTheTailOfALongMessage)
{
    auto bytes = wire::encode_side_message(request(32000));
    bytes.resize(3000);
    ASSERT_EQ(::send(other_.get(), bytes.data(), bytes.size(), 0), 3000);
    wire::SideMessage message;
    ASSERT_EQ(own_->receive(message), Outcome::done);
    EXPECT_EQ(message, wire::SideMessage(request(32000)));
    EXPECT_EQ(own_->receive(message), Outcome::retry);
}

TEST_F(SideChannelTest, NeverBlocksForAPeerThatDoesNotRead)
{
    int sent = 0;
    while (sent < 1000 && send_request(32000) == Outcome::done)
        ++sent;
    EXPECT_GT(sent, 0);
    EXPECT_LT(sent, 1000);
    EXPECT_EQ(send_request(32000), Outcome::retry);
    other_.reset();
    EXPECT_EQ(send_request(32000), Outcome::closed);
}

TEST_F(SideChannelTest, ArrivesWithTheFirstByteAndIsClosedOnExec)
{
    testing::send_descriptors(writer_.get(), bytes_, std::array{other_.get()});
    EXPECT_EQ(receive(), 3);
    ASSERT_TRUE(received_);
    EXPECT_EQ(::fcntl(received_->fd(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(own_->fd(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(other_.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(send_request(32000), Outcome::done);
    wire::SideMessage message;
    EXPECT_EQ(received_->receive(message), Outcome::done);
}

TEST_F(SideChannelTest, IsClosedByThePeerThatReadsWithRead)
{
    testing::send_descriptors(writer_.get(), bytes_, std::array{other_.get()});
    other_.reset();
    wire::SideMessage message;
    EXPECT_EQ(own_->receive(message), Outcome::retry) << "on its way";
    EXPECT_EQ(::read(reader_.get(), space_.data(), 1), 1);
    EXPECT_EQ(own_->receive(message), Outcome::closed);
    EXPECT_EQ(::read(reader_.get(), space_.data(), space_.size()), 2);
}

TEST_F(SideChannelTest, ClosesEveryOtherDescriptorThatArrives)
{
    const auto before = testing::count_descriptors();
    const std::array many{other_.get(), other_.get(), reader_.get(), writer_.get(), other_.get()};
    testing::send_descriptors(writer_.get(), bytes_, many);
    testing::send_descriptors(writer_.get(), bytes_, many);
    EXPECT_EQ(receive(), 3);
    EXPECT_EQ(receive(), 3);
    EXPECT_TRUE(received_);
    EXPECT_EQ(testing::count_descriptors(), before + 1);
}

TEST_F(SideChannelTest, DoesNotAdoptADescriptorOfAnotherKind)
{
    const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const UniqueFd datagram(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto before = testing::count_descriptors();
    for (const int fd : {file.get(), writer_.get(), datagram.get()}) {
        testing::send_descriptors(writer_.get(), bytes_, std::array{fd});
        EXPECT_EQ(receive(), 3);
        EXPECT_FALSE(received_);
    }
    EXPECT_EQ(testing::count_descriptors(), before);
}

} // namespace
} // namespace jkvm
