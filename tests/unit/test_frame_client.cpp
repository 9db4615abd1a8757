// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/frame_client.h"

#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using Event = FrameClient::Event;
using testing::accept_from;
using testing::listen_at;
using testing::message_v1;
using testing::send_all;

class FrameClientTest : public ::testing::Test {
protected:
    /// A listening server and our client connected to it.
    void connect()
    {
        listener_ = listen_at(path_);
        ASSERT_EQ(client_.wait(), Event::connected);
        server_ = accept_from(listener_.get());
    }
    /// wait(), but for failed tries.
    Event wait_past_tries()
    {
        auto event = client_.wait();
        while (event == Event::unreachable)
            event = client_.wait();
        return event;
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    FrameClient client_{{.path = path_, .first_pause = 1ms, .longest_pause = 4ms}};
    UniqueFd listener_;
    UniqueFd server_;
    const std::vector<std::uint8_t> packet_{0xFC, 1, 2, 3};
};

TEST_F(FrameClientTest, ReceivesWhatTheServerSends)
{
    connect();
    send_all(server_.get(), message_v1("UOKJ", 0, 42, packet_));
    ASSERT_EQ(client_.wait(), Event::message);
    EXPECT_EQ(client_.message().type, wire::MessageType::opus_frame);
    EXPECT_EQ(client_.message().timestamp.time_since_epoch(), 42ns);
    ASSERT_EQ(client_.message().payload.size(), 4u);
    EXPECT_EQ(client_.message().payload[3], std::byte{3});
}

TEST_F(FrameClientTest, MayStartBeforeTheServer)
{
    ASSERT_EQ(client_.wait(), Event::unreachable);
    EXPECT_EQ(client_.error().kind, ErrorKind::peer_unreachable);
    EXPECT_EQ(client_.error().subject, path_);
    listener_ = listen_at(path_);
    EXPECT_EQ(wait_past_tries(), Event::connected);
}

TEST_F(FrameClientTest, ConnectsAgainWhenTheServerComesBack)
{
    connect();
    server_.reset();
    listener_.reset();
    ASSERT_EQ(client_.wait(), Event::disconnected);
    EXPECT_EQ(client_.error().kind, ErrorKind::peer_gone);
    std::filesystem::remove(path_);
    listener_ = listen_at(path_);
    ASSERT_EQ(wait_past_tries(), Event::connected);
    server_ = accept_from(listener_.get());
    send_all(server_.get(), message_v1("UOKJ", 0, 1, packet_));
    EXPECT_EQ(client_.wait(), Event::message);
}

TEST_F(FrameClientTest, HalfAMessageOfTheOldConnectionIsForgotten)
{
    connect();
    const auto whole = message_v1("UOKJ", 0, 1, packet_);
    send_all(server_.get(), std::span(whole).first(10));
    server_.reset();
    ASSERT_EQ(client_.wait(), Event::disconnected);
    ASSERT_EQ(wait_past_tries(), Event::connected);
    server_ = accept_from(listener_.get());
    send_all(server_.get(), whole);
    EXPECT_EQ(client_.wait(), Event::message);
}

TEST_F(FrameClientTest, GarbageCostsTheConnection)
{
    connect();
    send_all(server_.get(), std::vector<std::uint8_t>(17, 0x20));
    ASSERT_EQ(client_.wait(), Event::disconnected);
    EXPECT_EQ(client_.error().kind, ErrorKind::protocol_violation);
    EXPECT_EQ(client_.error().detail, "wrong magic 20 20 20 20");
    EXPECT_TRUE(testing::is_closed_by_peer(server_.get()));
}

TEST_F(FrameClientTest, UnknownTypeIsHandedOutAndTheStreamStaysInStep)
{
    connect();
    send_all(server_.get(), message_v1("UOKJ", 77, 1, std::vector<std::uint8_t>(4096, 1)));
    send_all(server_.get(), message_v1("UOKJ", 0, 2, packet_));
    ASSERT_EQ(client_.wait(), Event::message);
    EXPECT_EQ(client_.message().type, wire::MessageType::unknown);
    ASSERT_EQ(client_.wait(), Event::message);
    EXPECT_EQ(client_.message().type, wire::MessageType::opus_frame);
}

TEST_F(FrameClientTest, InterruptEndsTheWaitForAFrame)
{
    connect();
    std::thread other([this] { client_.interrupt(); });
    EXPECT_EQ(client_.wait(), Event::interrupted);
    other.join();
    EXPECT_EQ(client_.wait(), Event::interrupted) << "until resume()";
    client_.resume();
    send_all(server_.get(), message_v1("UOKJ", 0, 1, packet_));
    EXPECT_EQ(client_.wait(), Event::message);
}

TEST_F(FrameClientTest, InterruptEndsTheWaitForAServer)
{
    FrameClient patient({.path = path_, .first_pause = 1h, .longest_pause = 1h});
    ASSERT_EQ(patient.wait(), Event::unreachable);
    std::thread other([&patient] { patient.interrupt(); });
    EXPECT_EQ(patient.wait(), Event::interrupted);
    other.join();
}

TEST_F(FrameClientTest, RestartMakesANewConnectionHoweverLateItIsNoticed)
{
    connect();
    send_all(server_.get(), message_v1("UOKJ", 0, 1, packet_)); // old: must not come out
    client_.restart();
    client_.interrupt();
    client_.resume();
    ASSERT_EQ(client_.wait(), Event::connected);
    EXPECT_TRUE(testing::is_closed_by_peer(server_.get()));
    server_ = accept_from(listener_.get());
    send_all(server_.get(), message_v1("UOKJ", 0, 2, packet_));
    ASSERT_EQ(client_.wait(), Event::message);
    EXPECT_EQ(client_.message().timestamp.time_since_epoch(), 2ns);
}

TEST_F(FrameClientTest, InterruptCountsMoreThanARestart)
{
    connect();
    client_.restart();
    client_.interrupt();
    EXPECT_EQ(client_.wait(), Event::interrupted);
}

} // namespace
} // namespace jkvm
