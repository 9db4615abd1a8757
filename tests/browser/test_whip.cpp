// SPDX-License-Identifier: LGPL-2.1-or-later
// Speaks into jkvm-browser with clients of the test.
#include "browser_test.h"

#include <chrono>
#include <memory>
#include <optional>
#include <thread>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

/// Returns the text of a fingerprint that belongs to no certificate.
std::string fingerprint()
{
    std::string text = "00";
    for (int i = 1; i < 32; ++i)
        text += ":00";
    return text;
}

/// The receiving end of the microphone: reads the first dialect.
class Whip : public BrowserTest {
protected:
    void SetUp() override
    {
        BrowserTest::SetUp();
        connection_ = accept_microphone();
        ASSERT_TRUE(connection_);
    }

    /// Sends `count` packets in real time, numbered from `first`. Returns those that arrive.
    std::vector<Packet> speak(WhipClient &client, std::uint32_t first, std::uint32_t count)
    {
        std::thread speaker([&] {
            auto due = std::chrono::steady_clock::now();
            for (std::uint32_t number = first; number < first + count; ++number) {
                client.push(numbered_packet(number));
                std::this_thread::sleep_until(due += 20ms); // the pace of the audio
            }
        });
        std::vector<Packet> received;
        const auto last = numbered_packet(first + count - 1);
        while (received.empty() || received.back() != last) {
            auto packet = receive_packet();
            if (!packet) {
                ADD_FAILURE() << "only " << received.size() << " packets arrive";
                break;
            }
            received.push_back(std::move(*packet));
        }
        speaker.join();
        return received;
    }

private:
    /// Returns the packet of the next frame; nothing if none arrives within `wait_timeout`.
    std::optional<Packet> receive_packet()
    {
        for (;;) {
            constexpr std::size_t header_size = 17;
            const auto header = receive(connection_.get(), header_size);
            if (header.size() < header_size)
                return std::nullopt;
            auto payload = receive(connection_.get(), header[5] + (header[6] << 8U));
            if (header[4] == 0) // OpusFrame
                return payload;
        }
    }

    UniqueFd connection_;
};

TEST_F(Whip, DeliversPacketsUnchanged)
{
    WhipClient client(port());
    const auto packets = speak(client, 1, 100);
    expect_contiguous(packets);
    EXPECT_EQ(packets.size(), 100u);
}

TEST_F(Whip, OneClientSpeaksAtATime)
{
    auto first = std::make_unique<WhipClient>(port());
    EXPECT_EQ(status_of("POST", "/whip", sdp_headers, "x"), 409);
    EXPECT_EQ(status_of("PATCH", "/whep" + first->address().substr(5)), 404);
    expect_contiguous(speak(*first, 1, 10));
    EXPECT_EQ(status_of("DELETE", first->address()), 200);
    WhipClient second(port());
    expect_contiguous(speak(second, 1001, 50));
}

TEST_F(Whip, FreesThePlaceOfAClientWhoseWebSocketIsClosed)
{
    const auto killed = std::make_unique<WhipClient>(port());
    auto socket = open_liveness_socket(killed->address());
    expect_contiguous(speak(*killed, 1, 10));
    socket = {}; // as the kernel does for a killed browser
    expect_end_of_session(killed->address());
    WhipClient next(port());
    expect_contiguous(speak(next, 1001, 50));
}

TEST_F(Whip, RefusesWhatIsNoOffer)
{
    EXPECT_EQ(status_of("PATCH", "/whip"), 405);
    EXPECT_EQ(status_of("POST", "/whip", {{"Content-Type", "text/plain"}}, "x"), 415);
    EXPECT_EQ(status_of("POST", "/whip", sdp_headers, "x"), 400);
    EXPECT_EQ(status_of("POST", "/whip", {{"Origin", "http://evil.example"}}), 403);
    EXPECT_EQ(status_of("DELETE", "/whip/1"), 404);
}

TEST_F(Whip, EndsASessionThatDoesNotConnect)
{
    const auto response = request(port(), "POST", "/whip", sdp_headers,
                                  "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
                                  "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
                                  "a=sendonly\r\na=rtpmap:111 opus/48000/2\r\na=mid:0\r\n"
                                  "a=rtcp-mux\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\n"
                                  "a=ice-pwd:0123456789abcdefghijkl\r\n"
                                  "a=fingerprint:sha-256 " +
                                      fingerprint() + "\r\n");
    ASSERT_EQ(response.status, 201);
    expect_end_of_session(response.headers.at("location"));
}

} // namespace
} // namespace jkvm::testing
