// SPDX-License-Identifier: LGPL-2.1-or-later
#include "browser_test.h"

#include "core/base/time.h"
#include "support/http.h"

#include <cstdlib>

namespace jkvm::testing {

namespace {

using namespace std::chrono_literals;

std::string browser_program()
{
    const char *path = std::getenv("JKVM_BROWSER"); // NOLINT(concurrency-mt-unsafe): not changed
    return path != nullptr ? path : "jkvm-browser";
}

/// Returns the number of a packet, or 0 if it is none of numbered_packet().
std::uint32_t number_of(const Packet &packet)
{
    return packet.size() == 4
               ? (std::uint32_t{packet[1]} << 16U) + (std::uint32_t{packet[2]} << 8U) + packet[3]
               : 0;
}

} // namespace

Packet numbered_packet(std::uint32_t number)
{
    // CELT, 20 ms, stereo
    return {0xFC, static_cast<std::uint8_t>(number >> 16U), static_cast<std::uint8_t>(number >> 8U),
            static_cast<std::uint8_t>(number)};
}

void expect_contiguous(const std::vector<Packet> &packets)
{
    ASSERT_FALSE(packets.empty());
    const auto first = number_of(packets.front());
    EXPECT_GT(first, 0u);
    for (std::uint32_t i = 0; i < packets.size(); ++i)
        ASSERT_EQ(packets[i], numbered_packet(first + i)) << i;
}

FrameServer::~FrameServer()
{
    is_stopped_ = true;
    if (thread_.joinable())
        thread_.join();
}

void FrameServer::start()
{
    auto client = accept_from(listener_.get());
    ASSERT_TRUE(client);
    thread_ = std::thread([this, fd = std::move(client)] { serve(fd.get()); });
}

void FrameServer::serve(int client) const
{
    auto due = std::chrono::steady_clock::now();
    for (std::uint32_t number = 1; !is_stopped_; ++number) {
        send_all(client,
                 message_v1("UOKJ", 0, wall_clock_ns() - 20'000'000, numbered_packet(number)));
        std::this_thread::sleep_until(due += 20ms); // the pace of the audio
    }
}

BrowserProgram::BrowserProgram(const std::vector<std::string> &arguments)
    : program_([&arguments] {
          std::vector<std::string> command{browser_program(), "--port=0"};
          command.insert(command.end(), arguments.begin(), arguments.end());
          return command;
      }())
{}

BrowserProgram::~BrowserProgram()
{
    program_.send(SIGINT);
    EXPECT_EQ(program_.wait(), 0) << program_.output();
}

int BrowserProgram::port()
{
    const std::string text = "Listening on http://127.0.0.1:";
    if (port_ == 0 && program_.wait_for_output(text))
        port_ = std::stoi(program_.output().substr(program_.output().find(text) + text.size()));
    EXPECT_NE(port_, 0) << program_.output();
    return port_;
}

const std::map<std::string, std::string> BrowserTest::sdp_headers{
    {"Content-Type", "application/sdp"}};

void BrowserTest::SetUp()
{
    server_.start();
    port_ = program_.port();
    ASSERT_NE(port_, 0);
}

UniqueFd BrowserTest::open_liveness_socket(const std::string &address) const
{
    auto socket = http_connect(port_);
    EXPECT_TRUE(
        http_send(socket.get(), "GET /alive" + address.substr(address.rfind('/')) +
                                    " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) +
                                    "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                    "Sec-WebSocket-Version: 13\r\n"
                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    const std::string expected = "HTTP/1.1 101 ";
    const auto answer = receive(socket.get(), expected.size());
    EXPECT_EQ(std::string(answer.begin(), answer.end()), expected);
    return socket;
}

void BrowserTest::expect_end_of_session(const std::string &address) const
{
    const auto give_up = monotonic_now() + wait_timeout;
    while (status_of("PATCH", address) != 404 && monotonic_now() < give_up) {
    }
    EXPECT_EQ(status_of("PATCH", address), 404);
}

} // namespace jkvm::testing
