// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/process_usage.h"

#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class UsageMeterTest : public ::testing::Test {
protected:
    UsageMeterTest() { std::filesystem::create_directory(proc_.path() / "42"); }

    /// Writes a line as the kernel does; the name contains parentheses and spaces.
    void set(int user_ticks, int system_ticks)
    {
        std::ofstream(proc_.file("42/stat"))
            << "42 (a) 1 2 (b) S 1 42 42 0 -1 4194560 901 0 3 0 " << user_ticks << " "
            << system_ticks << " 0 0 20 0 5 0 123456 300003328 2500 18446744073709551615 1 1 0\n";
    }

    testing::TemporaryDirectory proc_;
    UsageMeter meter_{42, proc_.path().string(), {.ticks_per_second = 50, .page_size = 16384}};
    MonotonicTime start_{1h};
};

TEST_F(UsageMeterTest, ReportsMemoryInBytes)
{
    set(0, 0);
    const auto usage = meter_.sample(start_);
    ASSERT_TRUE(usage);
    EXPECT_EQ(usage->vms, 300003328u);
    EXPECT_EQ(usage->rss, 2500u * 16384);
}

TEST_F(UsageMeterTest, ReportsProcessorTimeBetweenTwoSamples)
{
    set(1000, 500);
    EXPECT_EQ(meter_.sample(start_)->cpu_percent, 0);
    set(1010, 505); // 15 ticks of 20 ms
    EXPECT_DOUBLE_EQ(meter_.sample(start_ + 1s)->cpu_percent, 30);
    EXPECT_DOUBLE_EQ(meter_.sample(start_ + 2s)->cpu_percent, 0);
    set(1210, 505); // two threads, continuously busy
    EXPECT_DOUBLE_EQ(meter_.sample(start_ + 4s)->cpu_percent, 200);
}

TEST_F(UsageMeterTest, ReportsNothingForAnEndedProcess)
{
    EXPECT_FALSE(meter_.sample(start_));
}

TEST(UsageMeter, MeasuresThisProcessInTheSystemsUnits)
{
    UsageMeter meter(::getpid());
    const auto begin = monotonic_now();
    const auto first = meter.sample(begin);
    ASSERT_TRUE(first);
    EXPECT_GT(first->rss, 1u << 20);
    EXPECT_GT(first->vms, first->rss);

    const auto processor_time = [] {
        timespec time{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
    };
    const auto before = processor_time();
    while (processor_time() < before + 300ms) {
    }
    const auto now = monotonic_now();
    const auto expected = 100 * std::chrono::duration<double>(processor_time() - before) /
                          std::chrono::duration<double>(now - begin);
    EXPECT_NEAR(meter.sample(now)->cpu_percent, expected, expected / 5); // a tick is 10 ms
}

} // namespace
} // namespace jkvm
