// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/rate_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

namespace jkvm {
namespace {

using Event = RateCheck::Event;

/// A device on a simulated clock, and the thread that reads it. Times are seconds.
class SimulatedCapture {
public:
    struct Config {
        double reported = 48000; ///< Hz
        double real = 48000;     ///< Hz
        double frame = 0.02;
        unsigned granularity = 1; ///< samples by which the pointer advances
        double jitter = 50e-6;    ///< mean lateness of a wake-up
        unsigned seed = 1;
    };
    explicit SimulatedCapture(const Config &config)
        : config_(config), random_(config.seed), jitter_(1 / config.jitter), real_(config.real),
          check_(static_cast<unsigned>(config.reported))
    {}

    [[nodiscard]] double now() const { return now_; }
    RateCheck &check() { return check_; }
    std::minstd_rand &random() { return random_; }
    void set_real_rate(double rate)
    {
        advance(now_);
        real_ = rate;
    }
    /// The device stops for that long. Afterwards it delivers the samples at once, or has lost
    /// them.
    void stall(double duration, bool catches_up)
    {
        advance(now_);
        stall_end_ = std::max(stall_end_, now_ + duration);
        catches_up_ = catches_up;
    }
    /// The thread does not run for that long.
    void block_thread(double duration)
    {
        blocked_until_ = std::max(blocked_until_, now_ + duration);
    }
    /// The device is restarted, as after an overrun or a resume.
    void restart()
    {
        advance(now_);
        position_ = 0;
        read_ = 0;
        known_ = 0;
        check_.restart();
    }

    /// Reads one frame.
    void read_frame(const std::function<void(Event)> &on_event)
    {
        const double needed = read_ + config_.frame * config_.reported;
        double planned = known_at_ + (needed - known_) / check_.rate();
        double pause = 0;
        for (;;) {
            const double wake =
                std::max(std::max(planned, now_) + jitter_(random_), blocked_until_);
            const double due = std::max(planned, now_);
            now_ = wake;
            advance(now_);
            const double pointer =
                std::floor(position_ / config_.granularity) * config_.granularity;
            on_event(check_.observe(static_cast<std::uint64_t>(pointer),
                                    MonotonicTime(nanoseconds(std::llround(now_ * 1e9))),
                                    nanoseconds(std::llround(std::max(0.0, now_ - due) * 1e9))));
            known_ = pointer;
            known_at_ = now_;
            if (pointer >= needed)
                break;
            pause = pause == 0 ? (needed - pointer) / check_.rate() + 50e-6
                               : std::max(0.001, 2 * pause);
            planned = now_ + std::min(pause, 0.25);
        }
        read_ = needed;
    }
    void run(double duration, const std::function<void(Event)> &on_event)
    {
        for (const double end = now_ + duration; now_ < end;)
            read_frame(on_event);
    }

private:
    void advance(double time)
    {
        if (time <= device_time_)
            return;
        if (stall_end_ > device_time_ && !catches_up_) {
            const double end = std::min(stall_end_, time);
            device_time_ = end;
        }
        if (stall_end_ > time) // a stall, whose samples are delivered afterwards
            return;
        position_ += (time - device_time_) * real_;
        device_time_ = time;
    }

    Config config_;
    std::minstd_rand random_;
    std::exponential_distribution<double> jitter_;
    double real_;
    RateCheck check_;
    double now_ = 0;
    double device_time_ = 0;
    double position_ = 0; // of the device, samples since its restart
    double stall_end_ = 0;
    bool catches_up_ = false;
    double blocked_until_ = 0;
    double read_ = 0;
    double known_ = 0; // position at known_at_
    double known_at_ = 0;
};

/// Counts the events of a check, and when the first mismatch was detected.
struct Account {
    explicit Account(SimulatedCapture &simulated) : capture(simulated) {}
    void run(double duration)
    {
        capture.run(duration, [this](Event event) {
            if (event == Event::mismatched && mismatches++ == 0)
                detected = capture.now();
            restorations += event == Event::restored ? 1 : 0;
        });
    }
    [[nodiscard]] double error(double real) { return std::abs(capture.check().rate() / real - 1); }

    SimulatedCapture &capture;
    int mismatches = 0;
    int restorations = 0;
    double detected = 1e9;
};

constexpr double frames[] = {0.01, 0.02, 0.06};

TEST(RateCheck, DetectsAndRefinesErrorsOfHalfAPercentToTwelvePercent)
{
    for (const double part : {0.005, 0.0075, 0.01, 0.02, 0.05, 0.088, 0.12}) {
        for (const double sign : {-1.0, 1.0}) {
            for (const double frame : frames) {
                const double real = 48000 * (1 + sign * part);
                SimulatedCapture capture({.real = real, .frame = frame});
                Account account(capture);
                account.run(1);
                EXPECT_LT(account.detected, 0.5) << real << " Hz, frame " << frame;
                EXPECT_LT(account.error(real), 0.002) << real << " Hz, frame " << frame;
                account.run(29);
                EXPECT_LT(account.error(real), 50e-6) << real << " Hz, frame " << frame;
                EXPECT_EQ(account.mismatches, 1) << real << " Hz, frame " << frame;
            }
        }
    }
}

TEST(RateCheck, DetectsEveryPairOfStandardRates)
{
    constexpr double rates[] = {32000, 44100, 48000, 88200, 96000};
    for (const double reported : rates) {
        for (const double real : rates) {
            for (const double frame : frames) {
                SimulatedCapture capture({.reported = reported, .real = real, .frame = frame});
                Account account(capture);
                account.run(1);
                const auto what = std::to_string(real) + " as " + std::to_string(reported);
                EXPECT_EQ(account.mismatches, real == reported ? 0 : 1) << what;
                EXPECT_LT(account.error(real), 0.002) << what;
                if (real != reported) {
                    EXPECT_LT(account.detected, 0.5) << what << ", frame " << frame;
                }
                account.run(29);
                EXPECT_LT(account.error(real), 50e-6) << what;
            }
        }
    }
}

TEST(RateCheck, DetectsErrorsOfAFifthToHalfAPercentWithinFiveSeconds)
{
    for (const double part : {-0.0045, -0.0025, 0.002, 0.003, 0.0045}) {
        SimulatedCapture capture({.real = 48000 * (1 + part)});
        Account account(capture);
        account.run(5);
        EXPECT_EQ(account.mismatches, 1) << part;
        account.run(25);
        EXPECT_LT(account.error(48000 * (1 + part)), 50e-6) << part;
    }
}

TEST(RateCheck, LeavesSmallerErrorsToSlewing)
{
    for (const double part : {-0.0019, -0.001, -50e-6, 0.0, 50e-6, 0.001, 0.0019}) {
        SimulatedCapture capture({.real = 48000 * (1 + part)});
        Account account(capture);
        account.run(60);
        EXPECT_EQ(account.mismatches, 0) << part;
        EXPECT_EQ(capture.check().rate(), 48000) << part;
    }
}

TEST(RateCheck, FollowsAChangingRateUntilItMatchesAgain)
{
    SimulatedCapture capture({.real = 44100});
    Account account(capture);
    account.run(10);
    EXPECT_EQ(account.mismatches, 1);
    capture.set_real_rate(46000);
    account.run(10);
    EXPECT_EQ(account.mismatches, 2);
    EXPECT_LT(account.error(46000), 100e-6);
    capture.set_real_rate(48000);
    account.run(1);
    EXPECT_EQ(account.restorations, 1);
    EXPECT_EQ(capture.check().rate(), 48000);
    EXPECT_FALSE(capture.check().is_mismatched());
}

TEST(RateCheck, KeepsAMeasuredRateAcrossRestarts)
{
    SimulatedCapture capture({.real = 44100});
    Account account(capture);
    account.run(5);
    for (int i = 0; i < 20; ++i) {
        capture.restart();
        account.run(0.2 * i);
    }
    EXPECT_EQ(account.mismatches, 1);
    EXPECT_LT(account.error(44100), 50e-6);
}

TEST(RateCheck, FindsTheRateOfAPositionThatMovesInSteps)
{
    for (const unsigned step : {240U, 480U}) {
        SimulatedCapture capture({.real = 44100, .granularity = step});
        Account account(capture);
        account.run(30);
        EXPECT_LT(account.detected, 5) << step;
        EXPECT_LT(account.error(44100), 500e-6) << step;
    }
}

struct Machine {
    double frame;
    unsigned granularity;
    double ppm;
};
class RateCheckDay : public ::testing::TestWithParam<Machine> {};

/// One random disturbance: a stall, an overrun, a thread that does not run, or a virtual machine
/// without its processor, once or in bursts.
void disturb(Account &account)
{
    auto &capture = account.capture;
    const auto random = [&capture] {
        return std::uniform_real_distribution<double>()(capture.random());
    };
    const auto burst = [&](double longest, double pause, double catching_up) {
        for (int i = 3 + static_cast<int>(30 * random()); i > 0; --i) {
            const double duration = 0.001 + longest * random();
            capture.stall(duration, random() < catching_up);
            capture.block_thread(duration);
            account.run(pause * random());
        }
    };
    switch (static_cast<int>(8 * random())) {
    case 0:
        return capture.stall(0.02 + 0.7 * random(), false);
    case 1:
        return capture.stall(0.02 + 0.7 * random(), true);
    case 2:
        return capture.block_thread(0.005 + 0.5 * random());
    case 3:
        return capture.restart();
    case 4:
        return burst(0.1, 0.15, 1);
    case 5:
        return burst(0.1, 0.15, 0);
    case 6:
        return burst(0.02, 0.04, 0.5);
    default:
        capture.stall(0.12, random() < 0.5);
        account.run(0.5);
        return capture.stall(0.12, random() < 0.5);
    }
}

// 24 hours of simulated time in total.
TEST_P(RateCheckDay, StallsOverrunsAndStolenTimeAreNotTakenForARate)
{
    const auto &machine = GetParam();
    SimulatedCapture capture({.real = 48000 * (1 + machine.ppm * 1e-6),
                              .frame = machine.frame,
                              .granularity = machine.granularity,
                              .jitter = 100e-6});
    Account account(capture);
    while (capture.now() < 4 * 3600) {
        disturb(account);
        account.run(20 * std::uniform_real_distribution<double>()(capture.random()));
    }
    EXPECT_EQ(account.mismatches, 0);
    EXPECT_EQ(capture.check().rate(), 48000);
}

INSTANTIATE_TEST_SUITE_P(Disturbed, RateCheckDay,
                         ::testing::Values(Machine{0.02, 1, 0}, Machine{0.06, 1, 700},
                                           Machine{0.04, 48, -1000}, Machine{0.06, 192, 1000},
                                           Machine{0.06, 480, -300}, Machine{0.04, 480, 50}),
                         [](const auto &info) { return "Case" + std::to_string(info.index); });

} // namespace
} // namespace jkvm
