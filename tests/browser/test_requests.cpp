// SPDX-License-Identifier: LGPL-2.1-or-later
#include "offer.h"
#include "request_guard.h"

#include <gtest/gtest.h>

#include <string>

namespace jkvm::browser {
namespace {

TEST(RequestGuard, AllowsItsOwnNames)
{
    const RequestGuard guard(8089);
    for (const char *host : {"127.0.0.1:8089", "localhost:8089", "LOCALHOST:8089", "[::1]:8089"})
        EXPECT_TRUE(guard.is_allowed(host, std::nullopt)) << host;
}

TEST(RequestGuard, RefusesOtherHosts)
{
    const RequestGuard guard(8089);
    EXPECT_FALSE(guard.is_allowed(std::nullopt, std::nullopt));
    for (const char *host : {"", "localhost", "localhost:80", "evil.example:8089", "127.0.0.1",
                             "localhost.evil.example:8089", "192.168.0.2:8089"})
        EXPECT_FALSE(guard.is_allowed(host, std::nullopt)) << host;
}

TEST(RequestGuard, RefusesOtherOrigins)
{
    const RequestGuard guard(8089);
    EXPECT_TRUE(guard.is_allowed("localhost:8089", "http://localhost:8089"));
    EXPECT_TRUE(guard.is_allowed("localhost:8089", "http://127.0.0.1:8089"));
    for (const char *origin :
         {"", "null", "http://", "http://evil.example", "http://localhost", "http://localhost:80",
          "https://localhost:8089", "http://localhost:8089.evil.example"})
        EXPECT_FALSE(guard.is_allowed("localhost:8089", origin)) << origin;
}

TEST(RequestGuard, AllowsHostWithoutPortOnPort80Only)
{
    EXPECT_TRUE(RequestGuard(80).is_allowed("localhost", "http://localhost"));
    EXPECT_FALSE(RequestGuard(8089).is_allowed("localhost", std::nullopt));
}

std::optional<Offer> parse_offer_to_receive(std::string_view text)
{
    return parse_offer(text, MediaDirection::receive);
}

std::string audio_offer(const std::string &attributes)
{
    return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
           "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n" +
           attributes;
}

TEST(Offer, FindsThePayloadTypeOfOpus)
{
    const auto offer = parse_offer_to_receive(
        audio_offer("a=recvonly\r\na=rtpmap:9 G722/8000\r\na=rtpmap:111 opus/48000/2\r\n"));
    ASSERT_TRUE(offer);
    EXPECT_EQ(offer->payload_type, 111);
}

TEST(Offer, AcceptsAnyCaseOfTheCodec)
{
    const auto offer = parse_offer_to_receive(audio_offer("a=rtpmap:96 OPUS/48000/2\r\n"));
    ASSERT_TRUE(offer);
    EXPECT_EQ(offer->payload_type, 96);
}

TEST(Offer, RefusesTextThatOffersToReceiveNoOpus)
{
    for (const std::string &text :
         {std::string(), std::string("x"), std::string(10, '\0'),
          audio_offer("a=rtpmap:9 G722/8000\r\n"), audio_offer("a=rtpmap:111\r\n"),
          audio_offer("a=rtpmap:300 opus/48000/2\r\n"),
          audio_offer("a=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"),
          audio_offer("a=inactive\r\na=rtpmap:111 opus/48000/2\r\n")})
        EXPECT_FALSE(parse_offer_to_receive(text)) << text;
}

TEST(Offer, HasTheDirectionOfTheClient)
{
    const std::string opus = "a=rtpmap:111 opus/48000/2\r\n";
    const auto sending = audio_offer("a=sendonly\r\n" + opus);
    EXPECT_TRUE(parse_offer(sending, MediaDirection::send));
    EXPECT_FALSE(parse_offer(sending, MediaDirection::receive));
    const auto receiving = audio_offer("a=recvonly\r\n" + opus);
    EXPECT_FALSE(parse_offer(receiving, MediaDirection::send));
    EXPECT_TRUE(parse_offer(receiving, MediaDirection::receive));
    EXPECT_TRUE(parse_offer(audio_offer(opus), MediaDirection::send));
}

} // namespace
} // namespace jkvm::browser
