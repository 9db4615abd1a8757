// SPDX-License-Identifier: LGPL-2.1-or-later
// Listens to jkvm-browser with clients of the test, and sends requests that it refuses.
#include "browser_test.h"

#include <memory>

namespace jkvm::testing {
namespace {

using Whep = BrowserTest;

TEST_F(Whep, ServesThePageWithoutOtherSources)
{
    const auto page = request(port(), "GET", "/");
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
        request(port(), "OPTIONS", "/whep", {{"Access-Control-Request-Method", "POST"}});
    EXPECT_EQ(options.status, 204);
    EXPECT_FALSE(options.headers.contains("access-control-allow-origin"));
}

TEST_F(Whep, RefusesWebSocketsOfOtherWebsites)
{
    const WhepClient client(port());
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
    WhepClient client(port());
    expect_contiguous(client.pull(100));
}

TEST_F(Whep, RemovesAViewerThatIsDeletedOnly)
{
    WhepClient staying(port());
    expect_contiguous(staying.pull(1));
    auto leaving = std::make_unique<WhepClient>(port());
    EXPECT_EQ(status_of("PATCH", leaving->address()), 405);
    EXPECT_EQ(status_of("DELETE", leaving->address()), 200);
    EXPECT_EQ(status_of("DELETE", leaving->address()), 404);
    expect_contiguous(staying.pull(50));
}

TEST_F(Whep, JoiningAndLeavingViewersDoNotDisturbOthers)
{
    WhepClient staying(port());
    auto packets = staying.pull(1);
    for (int i = 0; i < 8; ++i) {
        WhepClient passing(port());
        expect_contiguous(passing.pull(5));
        EXPECT_EQ(status_of("DELETE", passing.address()), 200);
    }
    for (auto &packet : staying.pull(100))
        packets.push_back(std::move(packet));
    expect_contiguous(packets);
}

TEST_F(Whep, RemovesAViewerWhoseWebSocketIsClosed)
{
    WhepClient client(port());
    auto socket = open_liveness_socket(client.address());
    EXPECT_EQ(status_of("PATCH", client.address()), 405); // it exists
    socket = {};                                          // as the kernel does for a killed browser
    expect_end_of_session(client.address());
}

} // namespace
} // namespace jkvm::testing
