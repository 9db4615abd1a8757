// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/side_message.h"

#include "core/wire/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace jkvm::wire {
namespace {

using namespace std::chrono_literals;

using Bytes = std::vector<std::byte>;

SettingsRequest complete_request()
{
    return {.config = EncoderConfig{.stream = {24000, 1, 960},
                                    .bitrate = 32000,
                                    .complexity = 1,
                                    .vbr = false,
                                    .signal = EncoderConfig::signal_voice,
                                    .bandwidth = 1104,
                                    .dtx = true}
                          .fields(),
            .packet_loss_percentage = 10};
}

SourceState complete_state()
{
    return {.device_state = "run",
            .reason = "sixteen-letters-",
            .muted = true,
            .quality = "low",
            .bitrate = 32000,
            .complexity = 1,
            .frame = 2500us,
            .dtx = true,
            .packet_loss_percentage = 10,
            .decided_by = "request",
            .listeners = 3};
}

/// Returns the message with the number at the offset replaced.
Bytes with_number(Bytes bytes, std::size_t offset, std::uint32_t number)
{
    put_le(std::span(bytes), offset, number);
    return bytes;
}

TEST(SideMessage, SurvivesARoundTrip)
{
    EXPECT_EQ(decode_side_message(encode_side_message(complete_request())),
              SideMessage(complete_request()));
    EXPECT_EQ(decode_side_message(encode_side_message(complete_state())),
              SideMessage(complete_state()));
    const SettingsRequest partial{.config = {.bitrate = 64000, .dtx = false}};
    EXPECT_EQ(decode_side_message(encode_side_message(partial)), SideMessage(partial));
    EXPECT_EQ(decode_side_message(encode_side_message(SettingsRequest())),
              SideMessage(SettingsRequest()));
    EXPECT_EQ(decode_side_message(encode_side_message(SourceState())), SideMessage(SourceState()));
}

TEST(SideMessage, HasTheBytesOfTheProtocol)
{
    const auto request = encode_side_message(SettingsRequest{.config = {.bitrate = 64000}});
    ASSERT_EQ(request.size(), 48u);
    EXPECT_EQ(get_le<std::uint32_t>(request, 0), 1u);
    EXPECT_EQ(get_le<std::uint32_t>(request, 4), 0x8u);
    EXPECT_EQ(get_le<std::uint32_t>(request, 8 + 3 * 4), 64000u);

    const auto state = encode_side_message(SourceState{.device_state = "lost", .listeners = 2});
    ASSERT_EQ(state.size(), 100u);
    EXPECT_EQ(get_le<std::uint32_t>(state, 0), 2u);
    EXPECT_EQ(get_le<std::uint32_t>(state, 4), 0x401u);
    EXPECT_EQ(state[8], std::byte('l'));
    EXPECT_EQ(state[12], std::byte(0));
    EXPECT_EQ(get_le<std::uint32_t>(state, 96), 2u);
    EXPECT_LE(state.size(), max_side_message);
}

TEST(SideMessage, HasARateIfItHasAFrameSize)
{
    const SettingsRequest request{.config = {.frame_size = 1920}};
    EXPECT_EQ(decode_side_message(encode_side_message(request)),
              SideMessage(SettingsRequest{.config = {.sample_rate = 48000, .frame_size = 1920}}));
}

TEST(SideMessage, IgnoresWhatANewerVersionAppends)
{
    auto bytes = with_number(encode_side_message(complete_request()), 4, 0xFFFFFFFF);
    bytes.resize(bytes.size() + 20, std::byte(0xFF));
    EXPECT_EQ(decode_side_message(bytes), SideMessage(complete_request()));
}

TEST(SideMessage, HasNoFieldsBeyondItsEnd)
{
    const auto whole = encode_side_message(complete_request());
    const auto first_four = std::span(whole).first(8 + 4 * 4);
    const SettingsRequest expected{
        .config = {.sample_rate = 24000, .channels = 1, .frame_size = 960, .bitrate = 32000}};
    EXPECT_EQ(decode_side_message(first_four), SideMessage(expected));
    EXPECT_EQ(decode_side_message(std::span(whole).first(8 + 4 * 4 + 3)), SideMessage(expected));
    EXPECT_EQ(decode_side_message(std::span(whole).first(8)), SideMessage(SettingsRequest()));

    const auto state = encode_side_message(complete_state());
    EXPECT_EQ(decode_side_message(std::span(state).first(8 + 16 + 15)),
              SideMessage(SourceState{.device_state = "run"}));
}

TEST(SideMessage, IsUnknownWithoutAHeaderOrWithAnotherType)
{
    const auto request = encode_side_message(complete_request());
    EXPECT_EQ(decode_side_message({}), SideMessage(UnknownSideMessage()));
    EXPECT_EQ(decode_side_message(std::span(request).first(7)), SideMessage(UnknownSideMessage()));
    for (const std::uint32_t type : {0U, 3U, 0xFFFFFFFFU})
        EXPECT_EQ(decode_side_message(with_number(request, 0, type)),
                  SideMessage(UnknownSideMessage()));
}

TEST(SideMessage, IsUnknownWithAValueOutOfRange)
{
    const auto request = encode_side_message(complete_request());
    struct Field {
        std::size_t index;
        std::uint32_t value;
    };
    for (const auto &[index, value] :
         {Field{0, 44100}, Field{1, 3}, Field{2, 1}, Field{3, 499}, Field{4, 11}, Field{5, 2},
          Field{6, 0}, Field{7, 1106}, Field{8, 2}, Field{9, 101}, Field{3, 0xFFFFFFFF}})
        EXPECT_EQ(decode_side_message(with_number(request, 8 + 4 * index, value)),
                  SideMessage(UnknownSideMessage()))
            << "field " << index;

    const auto state = encode_side_message(complete_state());
    EXPECT_EQ(decode_side_message(with_number(state, 8, 0x20202020)),
              SideMessage(UnknownSideMessage()))
        << "spaces are not part of a nick";
    EXPECT_EQ(decode_side_message(with_number(state, 8 + 32, 2)), SideMessage(UnknownSideMessage()))
        << "muted";
}

TEST(SideMessage, OmitsATextThatIsNotANick)
{
    for (const char *text : {"Upper", "a space", "seventeen-letters"})
        EXPECT_EQ(decode_side_message(encode_side_message(SourceState{.reason = text})),
                  SideMessage(SourceState()));
}

} // namespace
} // namespace jkvm::wire
