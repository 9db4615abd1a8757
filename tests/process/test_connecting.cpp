// SPDX-License-Identifier: LGPL-2.1-or-later
// Connecting elements whose server is killed and restarted, or which may not connect to it.
#include "support/child_process.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

std::int64_t monotonic_ns()
{
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Observations of the processes, in shared memory.
struct Observations {
    std::atomic<std::int64_t> sent{0};     ///< monotonic time of the sender's first frame; 0 = none
    std::atomic<std::int64_t> received{0}; ///< ... of the first buffer out of jkvmipcsrc after it
    std::atomic<int> buffers{0};           ///< out of jkvmipcsrc since then

    struct Unmap {
        void operator()(Observations *mapped) const { ::munmap(mapped, sizeof(Observations)); }
    };
    static std::unique_ptr<Observations, Unmap> make()
    {
        void *memory = ::mmap(nullptr, sizeof(Observations), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            throw std::bad_alloc();
        return std::unique_ptr<Observations, Unmap>(new (memory) Observations{});
    }
};

GstPadProbeReturn note_sent(GstPad *, GstPadProbeInfo *, gpointer data)
{
    std::int64_t none = 0;
    static_cast<Observations *>(data)->sent.compare_exchange_strong(none, monotonic_ns());
    return GST_PAD_PROBE_OK;
}

GstPadProbeReturn note_received(GstPad *, GstPadProbeInfo *, gpointer data)
{
    auto &observations = *static_cast<Observations *>(data);
    if (observations.sent == 0) // still from the previous sender
        return GST_PAD_PROBE_OK;
    std::int64_t none = 0;
    observations.received.compare_exchange_strong(none, monotonic_ns());
    ++observations.buffers;
    return GST_PAD_PROBE_OK;
}

/// Runs the pipeline until the process is killed, and calls `probe` for each buffer on the pad of
/// the element "ipc".
int run(const std::string &description, const char *pad_name, GstPadProbeCallback probe,
        Observations &observations)
{
    gst_init(nullptr, nullptr);
    Pipeline pipeline(description);
    const auto pad =
        GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline.element("ipc"), pad_name));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, probe, &observations, nullptr);
    pipeline.play();
    for (;;)
        ::pause();
}

class Restart : public ::testing::Test {
protected:
    /// Starts and kills the sender repeatedly while the receiver runs. `prepare` precedes each
    /// start, `clean_up` follows each kill. Returns the median of the intervals between the
    /// sender's first frame and the first buffer out of jkvmipcsrc (ms).
    double median_interval(
        const std::string &path, int rounds, int buffers_per_round,
        const std::function<void()> &prepare = [] {}, const std::function<void()> &clean_up = [] {})
    {
        const ChildProcess receiver([&] {
            return run("jkvmipcsrc name=ipc socket-path=" + path + " ! fakesink", "src",
                       note_received, *observations_);
        });
        std::vector<double> intervals;
        for (int round = 0; round <= rounds; ++round) {
            prepare();
            ChildProcess sender([&] {
                return run("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                           "jkvmipcsink name=ipc socket-path=" +
                               path,
                           "sink", note_sent, *observations_);
            });
            EXPECT_TRUE(is_audio_received(buffers_per_round)) << "round " << round;
            const auto interval = observations_->received - observations_->sent;
            if (round > 0) // the receiver did not run before the first sender
                intervals.push_back(static_cast<double>(interval) / 1e6);
            sender.kill();
            clean_up();
            observations_->sent = observations_->received = observations_->buffers = 0;
            std::this_thread::sleep_for(outage); // the fault itself
        }
        std::ranges::sort(intervals);
        const auto median = intervals[intervals.size() / 2];
        std::cout << "audio " << median << " ms after the first frame (median of "
                  << intervals.size() << ", maximum " << intervals.back() << ")" << std::endl;
        return median;
    }
    [[nodiscard]] bool is_audio_received(int buffers) const
    {
        const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
        while (observations_->buffers < buffers) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            std::this_thread::sleep_for(1ms); // polling interval
        }
        return true;
    }

    /// Without a watch and polling, the pauses between attempts would exceed the limit by now.
    static constexpr auto outage = 1800ms;
    /// Far more than it takes on an idle machine.
    static constexpr double limit = 400; // ms

    TemporaryDirectory directory_;
    decltype(Observations::make()) observations_ = Observations::make();
};

TEST_F(Restart, OfTheCaptureProcessIsFollowedByAudioImmediately)
{
    EXPECT_LT(median_interval(directory_.file("a.sock"), 20, 5), limit);
}

TEST_F(Restart, IsNoticedIfTheDirectoriesAreMissingMeanwhile)
{
    const auto run_directory = directory_.file("run");
    const auto socket_directory = run_directory + "/jkvm";
    EXPECT_LT(median_interval(
                  socket_directory + "/a.sock", 5, 5,
                  [&] { fs::create_directories(socket_directory); },
                  [&] { fs::remove_all(run_directory); }),
              limit);
}

TEST_F(Restart, IsNoticedAtAnAbstractName)
{
    // A connection has to last a second to count as a success.
    EXPECT_LT(median_interval("@jkvm-restart-" + std::to_string(::getpid()), 5, 60), limit);
}

/// A socket of this user that no other user may connect to.
class Permission : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (::geteuid() != 0)
            GTEST_SKIP() << "only root can become another user";
        fs::permissions(directory_.path(), fs::perms::all);
        listener_ = listen_at(path_);
        fs::permissions(path_, fs::perms::owner_all);
    }
    /// Returns whether an element of another user posts the message with the reason forbidden.
    /// `rest`: the launch line after that element.
    [[nodiscard]] bool is_forbidden(const std::string &element, const std::string &rest,
                                    const char *message) const
    {
        ChildProcess child([&] {
            gst_init(nullptr, nullptr);
            Pipeline pipeline(element + " socket-path=" + path_ + rest); // loads the plugins
            constexpr uid_t nobody = 65534;
            if (::setuid(nobody) != 0)
                return 1;
            pipeline.play();
            return pipeline.wait_for_element_message(message, "forbidden") ? 0 : 2;
        });
        return child.wait() == 0;
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    UniqueFd listener_;
};

TEST_F(Permission, IsReportedAsMissingByASource)
{
    EXPECT_TRUE(is_forbidden("jkvmipcsrc", " ! fakesink", "jkvm-link"));
}

TEST_F(Permission, IsReportedAsMissingByASink)
{
    EXPECT_TRUE(is_forbidden("audiotestsrc is-live=true ! opusenc ! jkvmipcsink mode=connect", "",
                             "jkvm-client"));
}

} // namespace
} // namespace jkvm::testing
