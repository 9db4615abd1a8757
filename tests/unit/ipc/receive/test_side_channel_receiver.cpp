// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the side channel of a FrameReceiver.
#include "core/ipc/receive/frame_receiver.h"
#include "support/descriptors.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using Event = FrameReceiver::Event;
using testing::message_v1;
using testing::send_all;

const wire::SettingsRequest low{.config = {.bitrate = 32000}, .packet_loss_percentage = 5};
const wire::SettingsRequest high{.config = {.bitrate = 192000}};

class SideChannelReceiver : public ::testing::Test {
protected:
    SideChannelReceiver() { open(wire::Dialect::v1); }

    void open(wire::Dialect dialect)
    {
        auto receiver = FrameReceiver::open(
            {.endpoint = {.path = path_, .role = Role::connect}, .dialect = dialect}, control_);
        ASSERT_TRUE(receiver);
        receiver_ = std::move(*receiver);
    }
    void connect()
    {
        ASSERT_EQ(receiver_->wait(), Event::connected);
        server_ = testing::accept_from(listener_.get());
    }
    void disconnect()
    {
        server_.reset();
        channel_.reset();
        ASSERT_EQ(receiver_->wait(), Event::disconnected);
    }
    /// Sends a frame and receives it.
    void pass_frame()
    {
        send_all(server_.get(), frame_);
        ASSERT_EQ(receiver_->wait(), Event::message);
    }
    /// Sends the first frame with a side channel.
    void pass_frame_with_channel()
    {
        auto pair = SideChannel::make_pair();
        ASSERT_TRUE(pair);
        channel_.emplace(std::move(pair->own));
        testing::send_descriptors(server_.get(), frame_, std::array{pair->other.get()});
        pair->other.reset();
        ASSERT_EQ(receiver_->wait(), Event::message);
    }
    /// Handles what is pending.
    void service()
    {
        while (receiver_->wait(monotonic_now()) != Event::timed_out) {
        }
    }
    void send(const wire::SourceState &state)
    {
        EXPECT_EQ(channel_->send(wire::encode_side_message(state)), SideChannel::Outcome::done);
    }
    /// Returns the newest request, if one has arrived.
    std::optional<wire::SettingsRequest> requested()
    {
        std::optional<wire::SettingsRequest> request;
        wire::SideMessage message;
        while (channel_->receive(message) == SideChannel::Outcome::done)
            request = std::get<wire::SettingsRequest>(message);
        return request;
    }
    /// Returns the bytes that the server receives until the connection ends.
    std::size_t bytes_to_server()
    {
        receiver_.reset();
        return testing::receive(server_.get(), 1000).size();
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    ReceiverControl control_;
    std::unique_ptr<FrameReceiver> receiver_;
    UniqueFd listener_ = testing::listen_at(path_);
    UniqueFd server_;
    std::optional<SideChannel> channel_; // the server's end
    const std::vector<std::uint8_t> frame_ = message_v1("UOKJ", 0, 1, std::vector<std::uint8_t>{1});
};

TEST_F(SideChannelReceiver, SendsItsRequestOnEachConnectionAndAtEachChange)
{
    control_.request_settings(low);
    connect();
    pass_frame_with_channel();
    service();
    EXPECT_EQ(requested(), low);
    control_.request_settings(low);
    service();
    EXPECT_FALSE(requested()) << "it has not changed";
    control_.request_settings(high);
    service();
    EXPECT_EQ(requested(), high);
    control_.request_settings({});
    service();
    EXPECT_EQ(requested(), wire::SettingsRequest()) << "withdrawn";

    control_.request_settings(low);
    disconnect();
    connect();
    pass_frame_with_channel();
    service();
    EXPECT_EQ(requested(), low);
    EXPECT_EQ(receiver_->unsupported_requests(), 0u);
    EXPECT_EQ(bytes_to_server(), 0u);
}

TEST_F(SideChannelReceiver, SendsNothingIfNothingIsRequested)
{
    connect();
    pass_frame_with_channel();
    service();
    EXPECT_FALSE(requested());
    EXPECT_EQ(bytes_to_server(), 0u);
}

TEST_F(SideChannelReceiver, SendsNoOpusConfigBesidesItsRequest)
{
    open(wire::Dialect::v2);
    connect();
    pass_frame_with_channel();
    control_.request_settings(low);
    control_.request_encoder({.bitrate = 32000});
    service();
    EXPECT_EQ(requested(), low);
    control_.request_settings({});
    control_.withdraw_request({});
    service();
    EXPECT_EQ(requested(), wire::SettingsRequest());
    EXPECT_EQ(bytes_to_server(), 0u);
}

TEST_F(SideChannelReceiver, KeepsReceivingWhenTheChannelIsClosed)
{
    connect();
    pass_frame_with_channel();
    channel_.reset();
    control_.request_settings(low);
    pass_frame();
    pass_frame();
    EXPECT_EQ(receiver_->unsupported_requests(), 0u);
    EXPECT_EQ(bytes_to_server(), 0u);
}

TEST_F(SideChannelReceiver, CountsARequestThatAPeerWithoutAChannelCannotReceiveInFull)
{
    open(wire::Dialect::v2);
    control_.request_settings({.packet_loss_percentage = 5});
    connect();
    service();
    EXPECT_EQ(receiver_->unsupported_requests(), 0u) << "a channel may still arrive";
    pass_frame();
    service();
    EXPECT_EQ(receiver_->unsupported_requests(), 1u);
    control_.request_settings(high);
    service();
    EXPECT_EQ(receiver_->unsupported_requests(), 1u) << "an OpusConfig can carry it";
}

TEST_F(SideChannelReceiver, ReturnsTheNewestStateOfTheSource)
{
    connect();
    pass_frame_with_channel();
    send({.device_state = "search"});
    send({.device_state = "run", .listeners = 2});
    ASSERT_EQ(receiver_->wait(), Event::source_state);
    EXPECT_EQ(receiver_->source_state(),
              (wire::SourceState{.device_state = "run", .listeners = 2}));
    send({.device_state = "lost"});
    ASSERT_EQ(receiver_->wait(), Event::source_state);
    EXPECT_EQ(receiver_->source_state(), wire::SourceState{.device_state = "lost"});
    pass_frame();
}

TEST_F(SideChannelReceiver, LimitsHowOftenTheStateIsReturned)
{
    connect();
    pass_frame_with_channel();
    const auto start = monotonic_now();
    for (int i = 0; i < 5; ++i) {
        send({.muted = true});
        ASSERT_EQ(receiver_->wait(), Event::source_state);
    }
    EXPECT_GE(monotonic_now() - start, 4 * FrameReceiver::min_state_interval);
}

TEST_F(SideChannelReceiver, IgnoresOtherMessagesOfTheChannel)
{
    connect();
    pass_frame_with_channel();
    const std::vector<std::byte> noise(500, std::byte(0xFF));
    EXPECT_EQ(channel_->send(noise), SideChannel::Outcome::done);
    EXPECT_EQ(channel_->send(wire::encode_side_message(low)), SideChannel::Outcome::done);
    send({.muted = true});
    EXPECT_EQ(receiver_->wait(), Event::source_state);
}

TEST_F(SideChannelReceiver, LeavesNoDescriptorBehind)
{
    const auto before = testing::count_descriptors();
    for (int i = 0; i < 5; ++i) {
        connect();
        pass_frame_with_channel();
        disconnect();
    }
    EXPECT_EQ(testing::count_descriptors(), before);
}

} // namespace
} // namespace jkvm
