// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/encoder_request_completion.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// A request that lacks only the format of the stream.
constexpr wire::EncoderConfigFields all_but_format{.bitrate = 64000,
                                                   .complexity = 1,
                                                   .vbr = true,
                                                   .signal = wire::EncoderConfig::signal_auto,
                                                   .bandwidth = 1105,
                                                   .dtx = false};

class EncoderRequestCompletionTest : public ::testing::Test {
protected:
    EncoderRequestCompletionTest() { completion_.on_connected(now_); }

    void receive(std::size_t bytes)
    {
        completion_.record({.bytes = bytes, .duration = 10ms, .is_quiet = false});
        now_ += 10ms;
    }
    /// Receives a second of a stream with a variable bitrate of 320 kbit/s in frames of 10 ms.
    void receive_one_second()
    {
        for (std::size_t i = 0; i < 100; ++i)
            receive(i % 2 == 0 ? 390 : 410);
    }
    std::optional<EncoderRequestCompletion::Request> take_due()
    {
        return completion_.take_due(now_);
    }

    /// Expects that a request with these settings is due.
    void expect_request(std::uint32_t bitrate, std::uint32_t complexity)
    {
        const auto request = take_due();
        ASSERT_TRUE(request);
        EXPECT_FALSE(request->is_withdrawal);
        EXPECT_EQ(request->config.bitrate, bitrate);
        EXPECT_EQ(request->config.complexity, complexity);
    }
    /// Expects that a withdrawal with this estimate is due.
    void expect_withdrawal(std::uint32_t bitrate)
    {
        const auto withdrawal = take_due();
        ASSERT_TRUE(withdrawal);
        EXPECT_TRUE(withdrawal->is_withdrawal);
        EXPECT_EQ(withdrawal->config.bitrate, bitrate);
    }

    MonotonicTime now_{1h};
    EncoderRequestCompletion completion_;
};

TEST_F(EncoderRequestCompletionTest, TakesOtherFieldsFromTheStream)
{
    receive_one_second();
    EXPECT_TRUE(completion_.request({.complexity = 3}, now_));
    const auto request = take_due();
    ASSERT_TRUE(request);
    EXPECT_FALSE(request->is_withdrawal);
    EXPECT_EQ(request->config.complexity, 3u);
    EXPECT_EQ(request->config.bitrate, 320000u);
    EXPECT_EQ(request->config.stream.frame_size, 480u);
    EXPECT_FALSE(take_due()) << "it is returned once";
}

TEST_F(EncoderRequestCompletionTest, WaitsUntilASecondOfTheStreamIsReceived)
{
    EXPECT_TRUE(completion_.request({.complexity = 3}, now_));
    EXPECT_TRUE(completion_.request({.dtx = true}, now_));
    for (int i = 0; i < 99; ++i) {
        receive(i % 2 == 0 ? 390 : 410);
        EXPECT_FALSE(take_due());
    }
    receive(410);
    const auto request = take_due();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->config.complexity, 3u);
    EXPECT_TRUE(request->config.dtx);
    EXPECT_EQ(request->config.bitrate, 320000u);
}

TEST_F(EncoderRequestCompletionTest, WaitsForAFewPacketsOfAConstantBitrate)
{
    EXPECT_TRUE(completion_.request({.complexity = 3}, now_));
    for (int i = 0; i < 4; ++i)
        receive(400);
    EXPECT_FALSE(take_due());
    receive(400);
    const auto request = take_due();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->config.complexity, 3u);
    EXPECT_EQ(request->config.bitrate, 320000u);
    EXPECT_EQ(request->config.stream.frame_size, 480u);
    EXPECT_FALSE(request->config.vbr);
}

TEST_F(EncoderRequestCompletionTest, TakesTheFormatFromTheFirstPacket)
{
    EXPECT_TRUE(completion_.request(all_but_format, now_));
    EXPECT_FALSE(take_due());
    receive(390);
    const auto request = take_due();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->config.stream.frame_size, 480u);
    EXPECT_EQ(request->config.bitrate, 64000u);
}

TEST_F(EncoderRequestCompletionTest, WaitsForASecondWithoutFramesAtMost)
{
    EXPECT_TRUE(completion_.request({.complexity = 3}, now_));
    now_ += 999ms;
    EXPECT_FALSE(take_due());
    now_ += 1ms;
    EXPECT_TRUE(take_due());
}

TEST_F(EncoderRequestCompletionTest, DoesNotWaitWithACompleteRequest)
{
    auto complete = all_but_format;
    complete.sample_rate = 48000;
    complete.channels = 2;
    complete.frame_size = 960;
    EXPECT_TRUE(completion_.request(complete, now_));
    EXPECT_TRUE(take_due());
}

TEST_F(EncoderRequestCompletionTest, KeepsTheFieldsOfEarlierRequests)
{
    receive_one_second();
    completion_.request({.bitrate = 64000}, now_);
    EXPECT_TRUE(take_due());
    completion_.on_connected(now_);
    completion_.request({.complexity = 7}, now_);
    expect_request(64000, 7);
}

TEST_F(EncoderRequestCompletionTest, WithdrawsToTheSettingsBeforeTheFirstRequest)
{
    receive_one_second();
    completion_.request({.bitrate = 64000}, now_);
    EXPECT_TRUE(take_due());
    completion_.withdraw({}, now_);
    expect_withdrawal(320000);
}

TEST_F(EncoderRequestCompletionTest, IgnoresARequestThatContradictsTheStream)
{
    receive_one_second();
    EXPECT_FALSE(completion_.request({.frame_size = 21}, now_)) << "below 2.5 ms at 48 kHz";
    EXPECT_FALSE(completion_.request({.sample_rate = 44100}, now_));
    EXPECT_FALSE(take_due());
}

TEST(EncoderConfigFields, SampleRateAloneKeepsTheDurationOfAFrame)
{
    const auto config = wire::EncoderConfigFields{.sample_rate = 24000}.applied_to({});
    EXPECT_EQ(config.stream.sample_rate, 24000u);
    EXPECT_EQ(config.stream.frame_size, 480u);
}

TEST_F(EncoderRequestCompletionTest, RequestsNothingIfNothingIsConfigured)
{
    receive_one_second();
    EXPECT_TRUE(completion_.set_configured({}, now_));
    EXPECT_FALSE(take_due());
    EXPECT_TRUE(completion_.set_configured({.bitrate = 64000}, now_));
    EXPECT_TRUE(completion_.set_configured({}, now_));
    EXPECT_FALSE(take_due()) << "the request was not sent yet";
}

TEST_F(EncoderRequestCompletionTest, RequestsTheEncodersOwnValueOfAFieldThatIsNoLongerConfigured)
{
    receive_one_second();
    EXPECT_TRUE(completion_.set_configured({.bitrate = 64000, .complexity = 7}, now_));
    EXPECT_EQ(take_due().value().config.bitrate, 64000u);
    EXPECT_TRUE(completion_.set_configured({.complexity = 7}, now_));
    expect_request(320000, 7);

    EXPECT_TRUE(completion_.set_configured({}, now_));
    expect_withdrawal(320000);
}

TEST_F(EncoderRequestCompletionTest, PrefersRequestsToConfiguredFieldsUntilTheyAreWithdrawn)
{
    receive_one_second();
    EXPECT_TRUE(completion_.set_configured({.bitrate = 64000}, now_));
    EXPECT_TRUE(take_due());
    EXPECT_TRUE(completion_.request({.bitrate = 32000}, now_));
    EXPECT_EQ(take_due().value().config.bitrate, 32000u);
    EXPECT_TRUE(completion_.set_configured({.bitrate = 64000, .complexity = 7}, now_));
    expect_request(32000, 7);

    completion_.withdraw({}, now_);
    expect_request(64000, 7);
}

TEST_F(EncoderRequestCompletionTest, DoesNotKeepWithdrawnFieldsInARequestThatFollowsAtOnce)
{
    receive_one_second();
    EXPECT_TRUE(completion_.request({.bitrate = 64000}, now_));
    EXPECT_TRUE(take_due());
    completion_.withdraw({}, now_);
    EXPECT_TRUE(completion_.request({.complexity = 7}, now_));
    expect_request(320000, 7);
}

TEST_F(EncoderRequestCompletionTest, RefusesConfiguredFieldsThatContradictEachOther)
{
    EXPECT_FALSE(completion_.set_configured({.bitrate = 100}, now_));
    now_ += 2s;
    EXPECT_FALSE(take_due());
}

} // namespace
} // namespace jkvm
