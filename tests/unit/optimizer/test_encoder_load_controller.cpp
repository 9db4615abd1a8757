// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests that a receiver sends to an encoder, on simulated time.
#include "core/optimizer/encoder_load_controller.h"

#include "core/opus/codec_control.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// A sender with its encoder, received over a link that delays its frames.
class EncoderLoadControllerTest : public ::testing::Test {
protected:
    EncoderLoadControllerTest() { controller_.configure(true, {}, now_); }

    void run(nanoseconds lateness, nanoseconds time)
    {
        for (const auto end = now_ + time; now_ < end;) {
            const auto settings = encoder_.effective();
            now_ += settings.frame;
            const auto bits = settings.bitrate * settings.frame / 1s;
            controller_.record({.bytes = static_cast<std::size_t>(bits / 8),
                                .duration = settings.frame,
                                .is_quiet = false},
                               lateness, now_);
            apply_request();
        }
    }
    /// No frames arrive.
    void run_idle(nanoseconds time)
    {
        const auto end = now_ + time;
        while (controller_.idle_deadline() && *controller_.idle_deadline() < end) {
            now_ = *controller_.idle_deadline();
            controller_.on_idle(now_);
            apply_request();
        }
        now_ = end;
    }
    /// Handles the request like jkvmaudiosrc.
    void apply_request()
    {
        const auto request = controller_.take_request();
        if (!request)
            return;
        requests_.push_back(*request);
        const auto &config = request->config;
        if (request->is_withdrawn)
            encoder_.withdraw_request();
        else
            encoder_.request({.frame = nanoseconds(std::chrono::seconds(config.stream.frame_size)) /
                                       config.stream.sample_rate,
                              .bitrate = config.bitrate,
                              .complexity = config.complexity,
                              .dtx = config.dtx});
    }

    nanoseconds now_ = 100s;
    EncoderLoadController controller_;
    CodecControl encoder_;
    std::vector<EncoderLoadController::Request> requests_;
};

TEST_F(EncoderLoadControllerTest, ReducesTheEncoderLoadInStepsAndWithdrawsWithinAMinute)
{
    encoder_.set_quality(Quality::ultra);
    const auto preset = encoder_.effective();
    run(10ms, 60s);
    EXPECT_TRUE(requests_.empty());
    for (const auto lateness : {60ms, 120ms, 200ms, 300ms})
        run(lateness, 40s);
    ASSERT_EQ(requests_.size(), 4u);
    for (std::size_t i = 1; i < requests_.size(); ++i) {
        EXPECT_LT(requests_[i].config.bitrate, requests_[i - 1].config.bitrate);
        EXPECT_LT(requests_[i].config.complexity, requests_[i - 1].config.complexity);
    }
    EXPECT_EQ(controller_.optimizer().level(), 8u);
    EXPECT_EQ(encoder_.effective().bitrate, preset.bitrate / 4);
    EXPECT_EQ(encoder_.effective().complexity, 0u);
    EXPECT_EQ(encoder_.effective().frame, 40ms);

    run(10ms, 60s);
    EXPECT_EQ(encoder_.effective(), preset);
    EXPECT_TRUE(requests_.back().is_withdrawn);
    EXPECT_EQ(requests_.back().config.bitrate,
              preset.bitrate); // for an encoder that does not know its own
    EXPECT_EQ(requests_.back().config.complexity, preset.complexity);
}

TEST_F(EncoderLoadControllerTest, WithdrawsWithinAMinuteAfterTheStreamStopped)
{
    run(300ms, 15s);
    ASSERT_NE(encoder_.effective(), encoder_.settings());
    run_idle(60s);
    EXPECT_EQ(encoder_.effective(), encoder_.settings());
}

TEST_F(EncoderLoadControllerTest, DoesNotTakeRequestedSettingsForTheEncodersOwn)
{
    run(10ms, 20s);
    run(100ms, 90s); // longer than the estimate remembers
    EXPECT_NEAR(encoder_.effective().bitrate, 0.8 * 96000, 300);
    run(300ms, 40s);
    EXPECT_NEAR(encoder_.effective().bitrate, 0.25 * 96000, 300);
}

TEST_F(EncoderLoadControllerTest, WithdrawsOnceForAnotherSender)
{
    run(300ms, 15s);
    ASSERT_EQ(requests_.size(), 1u);
    controller_.restart(now_);
    apply_request();
    ASSERT_EQ(requests_.size(), 2u);
    EXPECT_TRUE(requests_.back().is_withdrawn);
    controller_.restart(now_);
    apply_request();
    EXPECT_EQ(requests_.size(), 2u);
}

TEST_F(EncoderLoadControllerTest, IsIdleUntilEnabledAndWithdrawsWhenDisabled)
{
    controller_ = {};
    run(300ms, 60s);
    EXPECT_TRUE(requests_.empty());
    controller_.configure(true, {}, now_);
    run(300ms, 15s);
    ASSERT_EQ(requests_.size(), 1u);
    controller_.configure(false, {}, now_);
    apply_request();
    EXPECT_EQ(encoder_.effective(), encoder_.settings());
    run(300ms, 60s);
    EXPECT_EQ(requests_.size(), 2u);
}

} // namespace
} // namespace jkvm
