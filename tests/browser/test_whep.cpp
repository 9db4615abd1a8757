// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs jkvm-browser behind a server of the test, and listens with clients of the test.
//
// Environment: JKVM_BROWSER is the path of the program; it inherits GST_PLUGIN_PATH and
// GST_REGISTRY.
#include "whep_client.h"

#include "core/base/time.h"
#include "support/http.h"
#include "support/program.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

std::string browser_program()
{
    const char *path = std::getenv("JKVM_BROWSER"); // NOLINT(concurrency-mt-unsafe): not changed
    return path != nullptr ? path : "jkvm-browser";
}

/// Serves Opus frames of 20 ms in real time, each with another content.
class FrameServer {
public:
    explicit FrameServer(const std::string &path) : listener_(listen_at(path)) {}
    FrameServer(const FrameServer &) = delete;
    FrameServer &operator=(const FrameServer &) = delete;
    ~FrameServer()
    {
        is_stopped_ = true;
        if (thread_.joinable())
            thread_.join();
    }

    /// Accepts a client and starts to serve it.
    void start()
    {
        auto client = accept_from(listener_.get());
        ASSERT_TRUE(client);
        thread_ = std::thread([this, fd = std::move(client)] { serve(fd.get()); });
    }
    /// The packet of the frame with this number.
    static WhepClient::Packet packet(std::uint32_t number)
    {
        // CELT, 20 ms, stereo
        return {0xFC, static_cast<std::uint8_t>(number >> 16U),
                static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)};
    }
    /// The number of the frame with this packet.
    static std::uint32_t number_of(const WhepClient::Packet &packet)
    {
        return packet.size() == 4 ? (std::uint32_t{packet[1]} << 16U) +
                                        (std::uint32_t{packet[2]} << 8U) + packet[3]
                                  : 0;
    }

private:
    void serve(int client) const
    {
        auto due = std::chrono::steady_clock::now();
        for (std::uint32_t number = 1; !is_stopped_; ++number) {
            send_all(client, message_v1("UOKJ", 0, wall_clock_ns() - 20'000'000, packet(number)));
            std::this_thread::sleep_until(due += 20ms); // the pace of the audio
        }
    }

    UniqueFd listener_;
    std::atomic<bool> is_stopped_ = false;
    std::thread thread_;
};

class Whep : public ::testing::Test {
protected:
    void SetUp() override
    {
        server_.start();
        ASSERT_TRUE(program_.wait_for_output("Listening on ")) << program_.output();
        const std::string address = "http://127.0.0.1:";
        port_ =
            std::stoi(program_.output().substr(program_.output().find(address) + address.size()));
    }
    void TearDown() override
    {
        program_.send(SIGINT);
        EXPECT_EQ(program_.wait(), 0) << program_.output();
    }
    [[nodiscard]] int status_of(const std::string &method, const std::string &path,
                                const std::map<std::string, std::string> &headers = {},
                                const std::string &body = {}) const
    {
        return request(port_, method, path, headers, body).status;
    }
    /// Expects that no packet is missing or changed between the first and the last one.
    static void expect_contiguous(const std::vector<WhepClient::Packet> &packets)
    {
        ASSERT_FALSE(packets.empty());
        const auto first = FrameServer::number_of(packets.front());
        EXPECT_GT(first, 0u);
        for (std::uint32_t i = 0; i < packets.size(); ++i)
            ASSERT_EQ(packets[i], FrameServer::packet(first + i)) << i;
    }

    TemporaryDirectory directory_;
    FrameServer server_{directory_.file("audio.sock")};
    Program program_{{browser_program(), "--port=0", directory_.file("audio.sock")}};
    int port_ = 0;
};

const std::map<std::string, std::string> sdp_headers{{"Content-Type", "application/sdp"}};

TEST_F(Whep, ServesThePageWithoutOtherSources)
{
    const auto page = request(port_, "GET", "/");
    EXPECT_EQ(page.status, 200);
    EXPECT_NE(page.body.find("<audio id=\"audio\">"), std::string::npos);
    EXPECT_EQ(page.body.find("https://"), std::string::npos);
    EXPECT_NE(page.headers.at("content-security-policy").find("frame-ancestors 'none'"),
              std::string::npos);
    EXPECT_EQ(status_of("GET", "/nothing"), 404);
}

TEST_F(Whep, RefusesRequestsOfOtherWebsites)
{
    for (const char *path : {"/", "/whep", "/whep/1", "/alive/1"}) {
        for (const char *method : {"GET", "POST", "DELETE", "OPTIONS"}) {
            EXPECT_EQ(status_of(method, path, {{"Host", "evil.example"}}), 403) << method << path;
            EXPECT_EQ(status_of(method, path, {{"Origin", "http://evil.example"}}), 403)
                << method << path;
        }
    }
    // No answer lets a browser hand a response to another website.
    const auto options =
        request(port_, "OPTIONS", "/whep", {{"Access-Control-Request-Method", "POST"}});
    EXPECT_EQ(options.status, 204);
    EXPECT_FALSE(options.headers.contains("access-control-allow-origin"));
}

TEST_F(Whep, RefusesWebSocketsOfOtherWebsites)
{
    const WhepClient client(port_);
    const auto path = "/alive/" + client.address().substr(client.address().rfind('/') + 1);
    std::map<std::string, std::string> headers{
        {"Connection", "Upgrade"},         {"Upgrade", "websocket"},
        {"Sec-WebSocket-Version", "13"},   {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
        {"Origin", "http://evil.example"},
    };
    EXPECT_EQ(status_of("GET", path, headers), 403);
    headers.erase("Origin");
    headers["Host"] = "evil.example";
    EXPECT_EQ(status_of("GET", path, headers), 403);
}

TEST_F(Whep, RefusesWhatIsNoOffer)
{
    EXPECT_EQ(status_of("PATCH", "/whep"), 405);
    EXPECT_EQ(status_of("GET", "/whep"), 405);
    EXPECT_EQ(status_of("POST", "/whep", {{"Content-Type", "text/plain"}}, "x"), 415);
    EXPECT_EQ(status_of("POST", "/whep", sdp_headers, "x"), 400);
    EXPECT_EQ(status_of("POST", "/whep", sdp_headers, std::string(70'000, 'x')), 413);
    EXPECT_EQ(status_of("DELETE", "/whep/1"), 404);
}

TEST_F(Whep, DeliversPacketsUnchanged)
{
    WhepClient client(port_);
    expect_contiguous(client.pull(100));
}

TEST_F(Whep, RemovesAViewerThatIsDeletedOnly)
{
    WhepClient staying(port_);
    expect_contiguous(staying.pull(1));
    auto leaving = std::make_unique<WhepClient>(port_);
    EXPECT_EQ(status_of("PATCH", leaving->address()), 405);
    EXPECT_EQ(status_of("DELETE", leaving->address()), 200);
    EXPECT_EQ(status_of("DELETE", leaving->address()), 404);
    expect_contiguous(staying.pull(50));
}

TEST_F(Whep, JoiningAndLeavingViewersDoNotDisturbOthers)
{
    WhepClient staying(port_);
    auto packets = staying.pull(1);
    for (int i = 0; i < 8; ++i) {
        WhepClient passing(port_);
        expect_contiguous(passing.pull(5));
        EXPECT_EQ(status_of("DELETE", passing.address()), 200);
    }
    for (auto &packet : staying.pull(100))
        packets.push_back(std::move(packet));
    expect_contiguous(packets);
}

TEST_F(Whep, RemovesAViewerWhoseWebSocketIsClosed)
{
    WhepClient client(port_);
    const auto id = client.address().substr(client.address().rfind('/') + 1);
    auto socket = http_connect(port_);
    ASSERT_TRUE(http_send(
        socket.get(), "GET /alive/" + id + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) +
                          "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    const std::string expected = "HTTP/1.1 101 ";
    const auto answer = receive(socket.get(), expected.size());
    EXPECT_EQ(std::string(answer.begin(), answer.end()), expected);
    EXPECT_EQ(status_of("PATCH", client.address()), 405); // it exists
    socket = {};                                          // as the kernel does for a killed browser
    const auto give_up = monotonic_now() + 3s;
    while (status_of("PATCH", client.address()) != 404 && monotonic_now() < give_up) {
    }
    EXPECT_EQ(status_of("PATCH", client.address()), 404);
}

} // namespace
} // namespace jkvm::testing
