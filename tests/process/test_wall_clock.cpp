// SPDX-License-Identifier: LGPL-2.1-or-later
// Steps the wall clock of sender and receiver, as NTP does after booting.
//
// Environment: JKVM_FAULTS is the path of the library that fakes the clock.
#include "element_process.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iomanip>
#include <sstream>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// Offset of the wall clock of all programs started with environment(). The clock of the test
/// itself is unaffected.
class FakeWallClock {
public:
    explicit FakeWallClock(const std::string &path)
        : environment_("JKVM_CLOCK_OFFSET=" + path),
          file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600))
    {
        EXPECT_EQ(::ftruncate(file_.get(), sizeof(std::int64_t)), 0);
        memory_ = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                         file_.get(), 0);
        EXPECT_NE(memory_, MAP_FAILED);
    }
    FakeWallClock(const FakeWallClock &) = delete;
    FakeWallClock &operator=(const FakeWallClock &) = delete;
    ~FakeWallClock() { ::munmap(memory_, sizeof(std::int64_t)); }

    void set_offset(nanoseconds offset)
    {
        static_cast<std::atomic<std::int64_t> *>(memory_)->store(offset.count());
    }
    [[nodiscard]] const std::string &environment() const { return environment_; }

private:
    std::string environment_;
    UniqueFd file_;
    void *memory_ = nullptr;
};

/// Returns the timestamps printed by a fakesink (s).
std::vector<double> timestamps_in(const std::string &output)
{
    std::vector<double> times;
    const std::string key = " bytes, dts: none, pts: ";
    for (auto at = output.find(key); at != std::string::npos; at = output.find(key, at + 1)) {
        std::istringstream text(output.substr(at + key.size(), 32));
        double hours = 0;
        double minutes = 0;
        double seconds = 0;
        char colon = 0;
        text >> hours >> colon >> minutes >> colon >> seconds;
        times.push_back(3600 * hours + 60 * minutes + seconds);
    }
    return times;
}

TEST(WallClock, StepOfAnHourDoesNotMoveTimestamps)
{
    const char *faults = std::getenv("JKVM_FAULTS"); // NOLINT(concurrency-mt-unsafe): one thread
    ASSERT_NE(faults, nullptr);
    const TemporaryDirectory directory;
    FakeWallClock clock(directory.file("offset"));
    ElementProcess sink(Part::sink_listens, {}, faults, {clock.environment()});
    Program source(
        gst_launch("-v jkvmipcsrc socket-path=" + sink.path() + " ! fakesink silent=false", faults,
                   {clock.environment()}));
    const auto watcher = sink.connect_peer();
    int buffers = 0;
    const auto expect_buffers = [&] {
        ASSERT_TRUE(source.wait_for_output(" bytes, dts", buffers += 20)) << source.output();
    };
    ASSERT_NO_FATAL_FAILURE(expect_buffers());
    nanoseconds before{0};
    for (const nanoseconds offset : {nanoseconds(1h), nanoseconds(-1h), nanoseconds(0)}) {
        const auto is_captured_after = [&](nanoseconds time) {
            return nanoseconds(capture_time_of_next_frame(watcher.get())) >= time;
        };
        // Frames are in flight during the step.
        source.send(SIGSTOP);
        const auto stopped = nanoseconds(wall_clock_ns()) + before;
        ASSERT_TRUE(eventually([&] { return is_captured_after(stopped); }));
        clock.set_offset(offset);
        source.send(SIGCONT);
        // Waits until the sender's clock is closer to this offset than to any other one.
        const auto is_stepped = [&] {
            const auto captured = nanoseconds(capture_time_of_next_frame(watcher.get()));
            return std::chrono::abs(captured - nanoseconds(wall_clock_ns()) - offset) < 30min;
        };
        ASSERT_TRUE(eventually(is_stepped));
        before = offset;
        ASSERT_NO_FATAL_FAILURE(expect_buffers());
    }
    const auto times = timestamps_in(source.output());
    ASSERT_GE(times.size(), 80u);
    for (std::size_t i = 1; i < times.size(); ++i) {
        EXPECT_GT(times[i], times[i - 1]);
        EXPECT_LT(times[i], times[i - 1] + 10);
    }
    sink.expect_clean_exit();
}

} // namespace
} // namespace jkvm::testing
