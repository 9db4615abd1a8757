// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmaudiosink through every fault of its device, again and again: audio returns, and nothing
// leaks.
//
// The environment variable JKVM_REPLUGS sets the number of replugs, e.g. 1000.
#include "support/footprint.h"
#include "support/gst_test.h"
#include "support/played_audio.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::PlayedAudio;

constexpr auto wait_timeout = 20s;
// KiB; sanitizers keep freed memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long memory_tolerance = 1 << 20;
#else
constexpr long memory_tolerance = 1024;
#endif

int count_replugs()
{
    const char *text = std::getenv("JKVM_REPLUGS"); // NOLINT(concurrency-mt-unsafe)
    return text != nullptr ? static_cast<int>(std::strtol(text, nullptr, 10)) : 10;
}

nanoseconds now()
{
    return std::chrono::steady_clock::now().time_since_epoch();
}

/// Polls until the condition is true. Returns false after `wait_timeout`.
bool eventually(const std::function<bool()> &condition)
{
    for (const auto end = now() + wait_timeout; now() < end; std::this_thread::sleep_for(5ms))
        if (condition())
            return true;
    return false;
}

class AudioSinkFaults : public ::testing::Test {
protected:
    AudioSinkFaults()
        : pipeline_("audiotestsrc is-live=true samplesperbuffer=480 freq=997 volume=0.5 ! "
                    "audio/x-raw,format=S16LE,rate=48000,channels=2 ! "
                    "jkvmaudiosink name=sink stats-interval=0 device=" +
                    pcm_.device())
    {
        pcm_.record_playback();
        pipeline_.play();
    }

    [[nodiscard]] bool is_connected()
    {
        gboolean connected = FALSE;
        const auto stats = testing::stats_of(pipeline_.element("sink"));
        gst_structure_get_boolean(stats.get(), "connected", &connected);
        return connected != FALSE;
    }
    /// Waits until the element has noticed a fault.
    void wait_for_loss()
    {
        ASSERT_TRUE(eventually([this] { return !is_connected(); }));
    }
    /// Waits for audio that is played after `event`. Returns the time between the two.
    nanoseconds wait_for_audio(nanoseconds event)
    {
        nanoseconds delay = wait_timeout;
        EXPECT_TRUE(eventually([&] {
            const PlayedAudio played(pcm_);
            const auto frame = played.first_above(8000, event);
            if (frame == played.frames())
                return false;
            delay = played.time_of(static_cast<double>(frame)) - event;
            return true;
        }));
        return delay;
    }
    /// Simulates one fault. Returns when the device works again.
    nanoseconds cause_fault(std::size_t kind)
    {
        switch (kind) {
        case 0:
            return unplug([] {});
        case 1: // while it is unplugged, it gets another rate
            return unplug([this] { pcm_.set_rate(44100); });
        case 2:
            return unplug([this] { pcm_.set_rate(48000); });
        case 3: // another program takes it
            pcm_.set_open_errno("EBUSY");
            pcm_.send("errs EIO");
            wait_for_loss();
            return restore();
        case 4:
            pcm_.send("freeze 3600000");
            wait_for_loss();
            pcm_.send("freeze 0");
            return now();
        case 5:
            pcm_.send("noresume 2");
            return cause("suspend", " start");
        case 6:
            return cause("errs EIO", " closed");
        default:
            return cause("xrun", " start");
        }
    }
    /// Sends a command. Returns when `line` was added to the log.
    nanoseconds cause(const std::string &command, const std::string &line)
    {
        const auto before = pcm_.count_log(line);
        pcm_.send(command);
        EXPECT_TRUE(eventually([&] { return pcm_.count_log(line) > before; })) << pcm_.log();
        return now();
    }
    nanoseconds unplug(const std::function<void()> &change)
    {
        pcm_.send("unplug");
        wait_for_loss();
        change();
        return restore();
    }
    nanoseconds restore()
    {
        EXPECT_TRUE(eventually([this] { return pcm_.count_log(" closed") > 0; }));
        pcm_.clear_recording();
        pcm_.clear_open_errno();
        return now();
    }

    /// Returns what the device was asked for since shortly before `event`, in ms after it.
    [[nodiscard]] std::string describe_log(nanoseconds event) const
    {
        constexpr double lead = 20; // ms
        std::string text;
        std::istringstream lines(pcm_.log());
        double seconds = 0;
        std::string process;
        for (std::string entry; lines >> seconds >> process && std::getline(lines, entry);) {
            const double ms = 1e3 * (seconds - std::chrono::duration<double>(event).count());
            if (ms > -lead)
                text += ' ' + std::to_string(std::lround(ms)) + ':' + entry + ';';
        }
        return text;
    }

    /// Causes the first `kinds` faults `rounds` times. Expects audio after each of them, within
    /// 500 ms in the median, and no growth after the first round, when buffers have their final
    /// sizes.
    void expect_recovery(int rounds, std::size_t kinds)
    {
        const auto process = ::getpid();
        std::size_t descriptors = 0;
        long memory = 0;
        std::vector<nanoseconds> delays;
        std::array<nanoseconds, all_kinds> longest{};
        std::string longest_log;
        for (int round = 0; round <= rounds; ++round) {
            for (std::size_t kind = 0; kind < kinds; ++kind) {
                const auto event = cause_fault(kind);
                const auto delay = wait_for_audio(event);
                pipeline_.discard_messages();
                ASSERT_LT(delay, wait_timeout) << "fault " << kind << " of round " << round;
                if (std::ranges::all_of(delays, [&](auto other) { return delay > other; }))
                    longest_log = describe_log(event);
                delays.push_back(delay);
                longest.at(kind) = std::max(longest.at(kind), delay);
            }
            if (round == 0) {
                descriptors = testing::open_descriptors();
                memory = testing::memory_of(process);
            }
        }
        EXPECT_LE(testing::open_descriptors(), descriptors);
        const auto growth = testing::memory_of(process) - memory;
        EXPECT_LE(growth, memory_tolerance);
        const auto median = delays.begin() + static_cast<std::ptrdiff_t>(delays.size() / 2);
        std::nth_element(delays.begin(), median, delays.end());
        EXPECT_LE(*median, 500ms);
        std::cout << rounds << " rounds: memory grew by " << growth << " KiB, median silence "
                  << *median / 1ms << " ms, longest of each fault";
        for (std::size_t kind = 0; kind < kinds; ++kind)
            std::cout << ' ' << longest.at(kind) / 1ms;
        std::cout << " ms; the device in the longest one (ms):" << longest_log << '\n';
    }

    static constexpr std::size_t all_kinds = 8;
    testing::TestPcm pcm_;
    testing::Pipeline pipeline_;
};

TEST_F(AudioSinkFaults, AudioReturnsAfterEachReplugWithoutALeak)
{
    (void)wait_for_audio(0ns);
    expect_recovery(count_replugs(), 1);
}

TEST_F(AudioSinkFaults, AudioReturnsAfterEachFaultWithoutALeak)
{
    (void)wait_for_audio(0ns);
    expect_recovery(count_replugs() / 5, all_kinds);
}

} // namespace
} // namespace jkvm
