// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the supervised sink with real workers. The environment variable JKVM_WORKER is the path of
// the worker program.
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include "core/base/time.h"
#include "core/base/unique_fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

namespace jkvm {
namespace {

using testing::Pipeline;
using testing::stat;

std::string read_file(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Returns false on a time-out.
template <typename Condition>
bool wait_until(Condition condition)
{
    const auto deadline = monotonic_now() + testing::wait_timeout;
    while (!condition() && monotonic_now() < deadline)
        std::this_thread::yield();
    return condition();
}

/// Live audio into `jkvmsupervisedsink name=s launch="..."`.
class JkvmSupervisedSink : public ::testing::Test {
protected:
    void play(
        const std::string &launch, const std::string &properties = "",
        const std::string &source = "audiotestsrc is-live=true samplesperbuffer=960 ! opusenc")
    {
        pipeline_.emplace(source + " ! jkvmsupervisedsink name=s launch=\"" + launch + "\" " +
                          properties);
        element_ = pipeline_->element("s");
        pipeline_->play();
    }
    pid_t wait_for_start()
    {
        const auto message = pipeline_->wait_for_element_message("jkvm-child", "started");
        gint pid = 0;
        gst_structure_get_int(gst_message_get_structure(message.get()), "pid", &pid);
        return pid;
    }
    testing::TemporaryDirectory directory_;
    std::optional<Pipeline> pipeline_;
    GstElement *element_ = nullptr;
};

TEST_F(JkvmSupervisedSink, WorkerCompletesItsFileWhenThePipelineStops)
{
    const auto path = directory_.file("a.ogg");
    play("oggmux max-delay=0 max-page-delay=0 ! filesink buffer-mode=unbuffered location=" + path);
    ASSERT_TRUE(wait_until([&] { return read_file(path).size() > 2000; }));
    pipeline_->set_state(GST_STATE_NULL);
    const auto file = read_file(path);
    const auto last_page = file.rfind("OggS");
    ASSERT_NE(last_page, std::string::npos);
    constexpr std::size_t flags = 5;
    constexpr int end_of_stream = 4;
    EXPECT_NE(file.at(last_page + flags) & end_of_stream, 0);
}

TEST_F(JkvmSupervisedSink, WorkerPlaysAllSentFramesBeforeItEnds)
{
    // The worker is too slow, so that frames are always queued. All frames have the same size.
    const auto path = directory_.file("frames");
    constexpr std::size_t frame = 160; // bytes
    play("identity sleep-time=25000 ! filesink buffer-mode=unbuffered location=" + path, "",
         "audiotestsrc is-live=true samplesperbuffer=960 ! "
         "opusenc bitrate=64000 bitrate-type=cbr");
    const auto ipc = GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(element_), "ipc"));
    ASSERT_TRUE(wait_until([&] { return stat(ipc.get(), "dropped-queue-full") > 0; }));
    pipeline_->set_state(GST_STATE_NULL);
    const auto sent =
        stat(ipc.get(), "frames") - stat(ipc.get(), "unheard") - stat(ipc.get(), "dropped");
    const auto played = read_file(path).size() / frame;
    EXPECT_LE(played, sent);
    EXPECT_GE(played + 1, sent) << "the first one may precede the worker";
}

TEST_F(JkvmSupervisedSink, WorkerThatIsTerminatedByAnotherProcessEndsItsStream)
{
    play("fakesink");
    const auto pid = wait_for_start();
    ASSERT_TRUE(wait_until([this] { return stat(element_, "heartbeats") > 0; }));
    ::kill(pid, SIGTERM);
    const auto message = pipeline_->wait_for_element_message("jkvm-child", "exited");
    gint status = -1;
    gst_structure_get_int(gst_message_get_structure(message.get()), "exit-status", &status);
    EXPECT_EQ(status, 0);
}

TEST_F(JkvmSupervisedSink, AcceptsANonAsciiLaunchLine)
{
    const auto path = directory_.file("\u00fc");
    play("filesink buffer-mode=unbuffered location=" + path);
    EXPECT_TRUE(wait_until([&] { return !read_file(path).empty(); }));
}

TEST_F(JkvmSupervisedSink, KilledWorkerIsRestartedAndReceivesAudio)
{
    const auto path = directory_.file("raw");
    play("filesink append=true buffer-mode=unbuffered location=" + path,
         "restart-delay=0 max-restart-delay=0");
    for (int i = 0; i < 3; ++i) {
        const auto pid = wait_for_start();
        const auto before = read_file(path).size();
        ASSERT_TRUE(wait_until([&] { return read_file(path).size() > before; }));
        ::kill(pid, SIGKILL);
        pipeline_->wait_for_element_message("jkvm-child", "killed");
    }
}

TEST_F(JkvmSupervisedSink, IdleWorkerIsNotHung)
{
    play("fakesink", "hang-timeout=2000",
         "appsrc is-live=true format=time caps=audio/x-opus,"
         "channel-mapping-family=0,channels=2,rate=48000");
    // There are at most ten a second.
    EXPECT_TRUE(wait_until([this] { return stat(element_, "heartbeats") >= 30; }));
    EXPECT_EQ(stat(element_, "hangs"), 0u);
}

/// Workers whose sink writes into a pipe that is never read, and is full after some hundred
/// milliseconds.
class BlockedSink : public JkvmSupervisedSink {
protected:
    void expect_hang_of(const std::string &chain)
    {
        const auto path = directory_.file("audio");
        ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
        const UniqueFd pipe(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        play(chain + " ! filesink location=" + path,
             "hang-timeout=500 stop-timeout=50 restart-delay=0 max-restart-delay=0");
        // Its messages would prolong the wait for another one. GStreamer 1.22 leaks a child that a
        // launch line names as ipc::stats-interval.
        const auto ipc = GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(element_), "ipc"));
        g_object_set(ipc.get(), "stats-interval", 0U, nullptr);
        EXPECT_TRUE(pipeline_->wait_for_element_message("jkvm-child", "hang"));
        EXPECT_GE(stat(element_, "hangs"), 1u);
    }
};

TEST_F(BlockedSink, IsKilled)
{
    expect_hang_of("opusdec");
}

TEST_F(BlockedSink, IsKilledDownstreamOfAnAdaptiveQueue)
{
    expect_hang_of("jkvmadaptivequeue ! opusdec");
}

TEST_F(BlockedSink, IsKilledDownstreamOfAQueueInABin)
{
    expect_hang_of("bin.( queue leaky=downstream ! opusdec ! queue leaky=downstream )");
}

TEST_F(JkvmSupervisedSink, NeverBlocksThePipeline)
{
    // No worker can ever start.
    play("no-such-element", "on-failure=silence",
         "audiotestsrc is-live=true num-buffers=20 samplesperbuffer=960 ! opusenc");
    pipeline_->wait_for_eos();
}

TEST_F(JkvmSupervisedSink, MissingWorkerProgramCausesAnErrorAtOnce)
{
    const std::string before = g_getenv("JKVM_WORKER");
    g_setenv("JKVM_WORKER", "/nonexistent/jkvm-worker", TRUE);
    play("fakesink"); // with the default limits: five restarts in five minutes
    const auto error = pipeline_->wait_for_error();
    g_setenv("JKVM_WORKER", before.c_str(), TRUE);
    EXPECT_EQ(stat(element_, "restarts"), 0u);
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_NOT_FOUND);
    EXPECT_NE(error.text.find("/nonexistent/jkvm-worker"), std::string::npos) << error.text;
    EXPECT_NE(error.text.find("JKVM_WORKER"), std::string::npos) << error.text;
    EXPECT_NE(error.debug.find("No such file or directory"), std::string::npos) << error.debug;
}

} // namespace
} // namespace jkvm
