// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/decaying_quantiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

void expect_near(nanoseconds value, nanoseconds expected)
{
    const auto tolerance = std::max<nanoseconds>(1us, expected * 16 / 1000);
    EXPECT_LE(std::chrono::abs(value - expected), tolerance)
        << value.count() << " is not about " << expected.count();
}

TEST(DecayingQuantiles, AreZeroWithoutSamples)
{
    EXPECT_EQ(DecayingQuantiles().at(0.5), 0ns);
}

TEST(DecayingQuantiles, OneSampleIsAllOfThem)
{
    for (const auto value : std::initializer_list<nanoseconds>{0ns, 500ns, 63us, 64us, 20ms, 59s}) {
        DecayingQuantiles quantiles;
        quantiles.record(value);
        for (const double q : {0.0, 0.5, 1.0})
            expect_near(quantiles.at(q), value);
    }
}

TEST(DecayingQuantiles, MatchTheSortedSamples)
{
    std::mt19937 random(1);
    std::gamma_distribution<double> milliseconds(2, 8);
    std::vector<nanoseconds> samples(5000);
    DecayingQuantiles quantiles;
    for (auto &sample : samples) {
        sample = nanoseconds(static_cast<std::int64_t>(milliseconds(random) * 1e6));
        quantiles.record(sample);
    }
    std::ranges::sort(samples);
    for (const double q : {0.01, 0.5, 0.95, 0.99})
        expect_near(quantiles.at(q), samples[static_cast<std::size_t>(q * 5000) - 1]);
}

TEST(DecayingQuantiles, ForgetOldSamples)
{
    DecayingQuantiles quantiles;
    for (unsigned i = 0; i < DecayingQuantiles::capacity; ++i)
        quantiles.record(1s);
    expect_near(quantiles.at(0.5), 1s);
    for (unsigned i = 0; i < DecayingQuantiles::capacity; ++i)
        quantiles.record(20ms);
    expect_near(quantiles.at(0.5), 20ms);
    for (unsigned i = 0; i < 6 * DecayingQuantiles::capacity; ++i)
        quantiles.record(20ms);
    expect_near(quantiles.at(0.99), 20ms);
}

TEST(DecayingQuantiles, ClampSamplesToTheirRange)
{
    DecayingQuantiles quantiles;
    quantiles.record(-5ms);
    EXPECT_LE(quantiles.at(1.0), 1us);
    quantiles.record(nanoseconds::max());
    expect_near(quantiles.at(1.0), DecayingQuantiles::maximum);
}

} // namespace
} // namespace jkvm
