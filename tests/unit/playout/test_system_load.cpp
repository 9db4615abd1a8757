// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/system_load.h"

#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class ProcSystemLoadTest : public ::testing::Test {
protected:
    ProcSystemLoadTest()
    {
        write("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\n");
        write("/proc/self/cgroup", "0::/jkvm.service\n");
        set_machine(0, 0, 0);
    }
    void write(const std::string &path, const std::string &text) const
    {
        const auto full = std::filesystem::path(root() + path);
        std::filesystem::create_directories(full.parent_path());
        std::ofstream(full) << text;
    }
    void write_group(const std::string &file, const std::string &text) const
    {
        write("/sys/fs/cgroup/jkvm.service/" + file, text);
    }
    /// Ticks summed over all processors.
    void set_machine(double uptime, int busy, int idle) const
    {
        write("/proc/uptime", std::to_string(uptime) + " 12345.67\n");
        // Half of the idle time is iowait. The guests' time is included in "user".
        write("/proc/stat", "cpu  " + std::to_string(busy) + " 0 0 " + std::to_string(idle / 2) +
                                ' ' + std::to_string(idle / 2) + " 0 0 0 " + std::to_string(busy) +
                                " 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n");
    }
    [[nodiscard]] std::string root() const { return directory_.path(); }

    testing::TemporaryDirectory directory_;
};

TEST_F(ProcSystemLoadTest, ProcessorLoadIsSinceThePreviousCall)
{
    set_machine(100, 5000, 5000);
    ProcSystemLoad load(root());
    EXPECT_FALSE(load.sample());
    set_machine(101, 5060, 5140);
    EXPECT_NEAR(load.sample()->cpu_percent, 30, 1e-9);
    set_machine(102, 5260, 5140);
    EXPECT_NEAR(load.sample()->cpu_percent, 100, 1e-9);
}

TEST_F(ProcSystemLoadTest, GaugeMeasuresOncePerInterval)
{
    set_machine(100, 5000, 5000);
    ProcSystemLoad load(root());
    LoadGauge gauge(load);
    gauge.restart();
    MonotonicTime now{1s};
    EXPECT_FALSE(gauge.measure(now));
    set_machine(101, 5060, 5140);
    now += 10ms;
    ASSERT_TRUE(gauge.measure(now)); // the first one, as early as possible
    EXPECT_NEAR(gauge.measure(now)->cpu_percent, 30, 1e-9);
    set_machine(102, 5260, 5140);
    EXPECT_NEAR(gauge.measure(now + LoadGauge::interval - 1ns)->cpu_percent, 30, 1e-9);
    EXPECT_NEAR(gauge.sample()->cpu_percent, 30, 1e-9);
    EXPECT_NEAR(gauge.measure(now + LoadGauge::interval)->cpu_percent, 100, 1e-9);
    EXPECT_NEAR(gauge.sample()->cpu_percent, 100, 1e-9);
}

TEST_F(ProcSystemLoadTest, GaugeKeepsItsValueIfTheLoadCannotBeRead)
{
    set_machine(100, 5000, 5000);
    ProcSystemLoad load(root());
    LoadGauge gauge(load);
    gauge.restart();
    set_machine(101, 5060, 5140);
    EXPECT_NEAR(gauge.measure(MonotonicTime(1s))->cpu_percent, 30, 1e-9);
    std::filesystem::remove(root() + "/proc/stat");
    EXPECT_NEAR(gauge.measure(MonotonicTime(2s))->cpu_percent, 30, 1e-9);
}

TEST_F(ProcSystemLoadTest, MemoryLoadExcludesAvailableMemory)
{
    ProcSystemLoad load(root());
    load.sample();
    set_machine(1, 10, 90);
    EXPECT_NEAR(load.sample()->memory_percent, 40, 1e-9);
}

TEST_F(ProcSystemLoadTest, ReturnsNothingIfNoTimeHasPassed)
{
    ProcSystemLoad load(root());
    load.sample();
    EXPECT_FALSE(load.sample());
}

TEST_F(ProcSystemLoadTest, ControlGroupQuotaCountsWhenItIsCloser)
{
    write_group("cpu.max", "50000 100000\n");
    write_group("cpu.stat", "usage_usec 7000000\nuser_usec 1\n");
    ProcSystemLoad load(root());
    load.sample();
    set_machine(2, 40, 360);                                      // 10 % of the machine
    write_group("cpu.stat", "usage_usec 7800000\nuser_usec 1\n"); // 0.8 s of 1 s
    EXPECT_NEAR(load.sample()->cpu_percent, 80, 1e-6);
}

TEST_F(ProcSystemLoadTest, ControlGroupWithoutAQuotaIsIgnored)
{
    write_group("cpu.max", "max 100000\n");
    write_group("cpu.stat", "usage_usec 0\n");
    ProcSystemLoad load(root());
    load.sample();
    set_machine(1, 10, 90);
    write_group("cpu.stat", "usage_usec 990000\n");
    EXPECT_NEAR(load.sample()->cpu_percent, 10, 1e-9);
}

TEST_F(ProcSystemLoadTest, ControlGroupMemoryExcludesInactiveCache)
{
    write_group("memory.max", "1000000\n");
    write_group("memory.current", "900000\n");
    write_group("memory.stat", "anon 1\ninactive_anon 2\ninactive_file 200000\n");
    ProcSystemLoad load(root());
    load.sample();
    set_machine(1, 10, 90);
    EXPECT_NEAR(load.sample()->memory_percent, 70, 1e-9);
    write_group("memory.max", "max\n");
    set_machine(2, 20, 180);
    EXPECT_NEAR(load.sample()->memory_percent, 40, 1e-9);
}

TEST_F(ProcSystemLoadTest, ReturnsNothingWithoutProc)
{
    ProcSystemLoad load(root() + "/nothing");
    EXPECT_FALSE(load.sample());
    EXPECT_FALSE(load.sample());
}

TEST_F(ProcSystemLoadTest, ReadsTheLoadOfThisMachine)
{
    ProcSystemLoad load;
    load.sample();
    std::optional<LoadSample> sample;
    while (!(sample = load.sample())) // until the counters advance
        ;
    EXPECT_GT(sample->memory_percent, 0);
    EXPECT_LE(sample->cpu_percent, 100);
}

} // namespace
} // namespace jkvm
