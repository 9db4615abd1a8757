// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/receive_engine.h"

#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::accept_from;
using testing::listen_at;
using testing::message_v1;
using testing::send_all;
using testing::wall_clock_ns;
using Engine = ReceiveEngine;

/// Connects an engine to a server that the test controls; the running time is constant.
class ReceiveEngineTest : public ::testing::Test {
protected:
    void open(wire::Direction direction = wire::Direction::output)
    {
        const bool listens = direction == wire::Direction::microphone;
        const Endpoint endpoint{
            .path = path_, .role = listens ? Role::listen : Role::connect, .direction = direction};
        ASSERT_TRUE(engine_.open({.receiver = {.endpoint = endpoint}}));
    }
    /// Returns the next event, which must be a T.
    template <typename T>
    T next()
    {
        auto event = engine_.next([] { return ClockPair{10s, wall_now()}; });
        auto *expected = std::get_if<T>(&event);
        EXPECT_NE(expected, nullptr) << "event " << event.index();
        return expected != nullptr ? std::move(*expected) : T{};
    }
    void connect()
    {
        open();
        next<Engine::Connected>();
        server_ = accept_from(listener_.get());
        ASSERT_TRUE(server_);
    }
    void send(std::uint8_t type, std::span<const std::uint8_t> payload)
    {
        send_all(server_.get(), message_v1("UOKJ", type, wall_clock_ns() - 30'000'000, payload));
    }

    const std::vector<std::uint8_t> packet_{0xFC, 1, 2, 3};
    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    UniqueFd listener_ = listen_at(path_);
    UniqueFd server_;
    Engine engine_;
};

TEST_F(ReceiveEngineTest, ReturnsFrames)
{
    connect();
    send(0, packet_);
    const auto frame = next<Engine::Frame>();
    EXPECT_EQ(frame.packet.size(), packet_.size());
    EXPECT_EQ(frame.duration, 20ms);
    EXPECT_TRUE(engine_.stats().stream.connected);
    EXPECT_EQ(engine_.stats().stream.frames, 1u);
}

TEST_F(ReceiveEngineTest, ReturnsDroppedFramesWithTheirReason)
{
    connect();
    send(0, std::array<std::uint8_t, 1>{0xFB}); // not an Opus packet
    EXPECT_EQ(next<Engine::Dropped>().reason, Engine::Dropped::Reason::invalid);
}

TEST_F(ReceiveEngineTest, ReturnsGapsWhileThereIsNoServer)
{
    listener_.reset();
    ::unlink(path_.c_str());
    open();
    next<Engine::Unreachable>();
    const auto gap = next<Gap>();
    EXPECT_EQ(gap.start, 0ns);
    EXPECT_EQ(gap.duration, 10s - engine_.latency());
}

TEST_F(ReceiveEngineTest, ReportsTheEndOfTheConnectionOnce)
{
    connect();
    send(0, packet_);
    next<Engine::Frame>();
    server_.reset();
    EXPECT_FALSE(next<Engine::Disconnected>().is_violation);
    EXPECT_EQ(engine_.stats().disconnects, 1u);
    EXPECT_FALSE(engine_.stats().stream.connected);
}

TEST_F(ReceiveEngineTest, ReportsAViolation)
{
    connect();
    send_all(server_.get(), std::vector<std::uint8_t>(100, 0));
    EXPECT_TRUE(next<Engine::Disconnected>().is_violation);
    EXPECT_EQ(engine_.stats().stream.protocol_errors, 1u);
}

TEST_F(ReceiveEngineTest, ReportsTheEndOfASession)
{
    connect();
    send(0, packet_);
    next<Engine::Frame>();
    send(2, {}); // Stop
    next<Engine::SessionEnded>();
}

TEST_F(ReceiveEngineTest, ReturnsInterruptedUntilResumed)
{
    connect();
    engine_.interrupt();
    next<Engine::Interrupted>();
    next<Engine::Interrupted>();
    engine_.resume();
    send(0, packet_);
    next<Engine::Frame>();
}

TEST_F(ReceiveEngineTest, KeepsStatisticsAfterClose)
{
    connect();
    send(0, packet_);
    next<Engine::Frame>();
    engine_.close();
    EXPECT_EQ(engine_.stats().stream.frames, 1u);
    EXPECT_FALSE(engine_.stats().stream.connected);
}

TEST_F(ReceiveEngineTest, AssumesMonoForAMicrophone)
{
    listener_.reset();
    ::unlink(path_.c_str());
    open(wire::Direction::microphone);
    EXPECT_EQ(engine_.stream_config().channels, 1u);
}

} // namespace
} // namespace jkvm
