// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests supervised gst-launch-1.0 pipelines: the worker process, and the recording.
//
// Environment: JKVM_WORKER is the path of the worker program.
#include "support/alsa_device.h"
#include "support/played_audio.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include "core/base/unique_fd.h"

#include <gtest/gtest.h>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <thread>

namespace jkvm::testing {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Returns the duration of an Ogg file with an Opus stream: the granule position of the last page
/// counts samples at 48 kHz.
double seconds_of_ogg(const fs::path &path)
{
    const auto file = read_file(path);
    const auto page = file.rfind("OggS");
    constexpr std::size_t position_offset = 6;
    std::uint64_t samples = 0;
    if (page == std::string::npos || page + position_offset + sizeof samples > file.size())
        return -1;
    std::memcpy(&samples, file.data() + page + position_offset, sizeof samples);
    return static_cast<double>(samples) / 48000;
}

class Supervised : public ::testing::Test {
protected:
    /// `before`: the beginning of a command line that runs gst-launch-1.0.
    void start(const std::vector<std::string> &pipeline, std::vector<std::string> before = {})
    {
        auto command = std::move(before);
        const auto launch = gst_launch("-m -e");
        command.insert(command.end(), launch.begin(), launch.end());
        command.insert(command.end(), pipeline.begin(), pipeline.end());
        program_.emplace(command);
    }
    void start_recording()
    {
        // Statistics are posted for every frame, so that the test can count frames.
        start({"jkvmsupervisedsrc", "ipc::stats-interval=10",
               "launch=jkvmaudiosrc device=" + pcm_.device(), "!", "oggmux", "!", "filesink",
               "location=" + recording_});
    }
    /// Waits for the start of the `count`-th worker and returns its pid.
    pid_t wait_for_worker(int count)
    {
        const std::string started = "jkvm-child, reason=(string)started, pid=(int)";
        EXPECT_TRUE(program_->wait_for_output(started, count)) << program_->output();
        const auto &output = program_->output();
        return std::stoi(output.substr(output.rfind(started) + started.size()));
    }
    /// Waits for another second of audio.
    void wait_for_second_of_audio()
    {
        const std::string message = "x-jkvm-ipcsrc-stats";
        const auto &output = program_->output();
        int frames = 50;
        for (auto at = output.find(message); at != std::string::npos;
             at = output.find(message, at + 1))
            ++frames;
        ASSERT_TRUE(program_->wait_for_output(message, frames)) << output;
    }
    /// Returns the execution time that gst-launch-1.0 printed.
    double seconds_of_playing()
    {
        const std::string before = "Execution ended after ";
        const auto &output = program_->output();
        const auto at = output.find(before);
        int hours = 0;
        int minutes = 0;
        double seconds = -1;
        std::istringstream time(at == std::string::npos ? "" : output.substr(at + before.size()));
        char colon = 0;
        time >> hours >> colon >> minutes >> colon >> seconds;
        return 3600 * hours + 60 * minutes + seconds;
    }
    void stop()
    {
        program_->send(SIGINT);
        EXPECT_EQ(program_->wait(), 0) << program_->output();
        EXPECT_NE(program_->output().find("Got EOS"), std::string::npos) << program_->output();
    }

    static constexpr auto outage = std::chrono::milliseconds(500);
    /// Of a recording's length (s). Less than the outages of a test; the start and the end of the
    /// programs take a while on a busy machine.
    static constexpr double tolerance = 1.8;

    TestPcm pcm_;
    TemporaryDirectory directory_;
    std::string recording_ = directory_.file("a.ogg");
    std::optional<Program> program_;
};

TEST_F(Supervised, RecordingKeepsItsLengthWhenTheWorkerIsKilledEverySecond)
{
    start_recording();
    for (int i = 1; i <= 5; ++i) {
        const auto worker = wait_for_worker(i);
        wait_for_second_of_audio();
        ::kill(worker, SIGSTOP);
        std::this_thread::sleep_for(outage); // the fault itself
        ::kill(worker, SIGKILL);
        ASSERT_TRUE(program_->wait_for_output("jkvm-child, reason=(string)killed", i));
    }
    wait_for_worker(6);
    wait_for_second_of_audio();
    stop();
    EXPECT_NEAR(seconds_of_ogg(recording_), seconds_of_playing(), tolerance) << program_->output();
}

TEST_F(Supervised, RecordingKeepsItsLengthWhenTheWorkerIsStopped)
{
    start_recording();
    const auto worker = wait_for_worker(1);
    wait_for_second_of_audio();
    ::kill(worker, SIGSTOP);
    ASSERT_TRUE(program_->wait_for_output("jkvm-child, reason=(string)hang"));
    wait_for_worker(2);
    wait_for_second_of_audio();
    stop();
    EXPECT_NEAR(seconds_of_ogg(recording_), seconds_of_playing(), tolerance) << program_->output();
}

TEST_F(Supervised, InvalidLaunchLineIsReportedWithMessageOfParser)
{
    start({"jkvmsupervisedsrc", "launch=jkvmaudiosrc devise=hw:0", "!", "fakesink"});
    EXPECT_NE(program_->wait(), 0);
    EXPECT_NE(program_->output().find("ERROR: from element /GstPipeline:pipeline0/"
                                      "GstJkvmSupervisedSrc:jkvmsupervisedsrc0: Could not run "
                                      "the launch line: \"no property \"devise\" in element "
                                      "\"jkvmaudiosrc\"\"."),
              std::string::npos)
        << program_->output();
}

TEST_F(Supervised, SetsPropertiesOfTheWorkersElementsFromACommandLine)
{
    start({"jkvmsupervisedsrc", "launch=jkvmaudiosrc name=a device=" + pcm_.device(),
           "a::device=jkvm_no_such_device", "!", "fakesink"});
    ASSERT_TRUE(program_->wait_for_output("jkvm-device, reason=(string)missing"))
        << program_->output();
    EXPECT_TRUE(program_->wait_for_output("device=(string)jkvm_no_such_device"))
        << program_->output();
    stop();
}

TEST_F(Supervised, FindsTheWorkerProgramNextToThePlugin)
{
    start({"jkvmsupervisedsrc", "launch=jkvmaudiosrc device=" + pcm_.device(), "!", "fakesink"},
          {"env", "--unset=JKVM_WORKER"});
    ASSERT_TRUE(program_->wait_for_output("jkvm-link, reason=(string)connected"))
        << program_->output();
    stop();
}

TEST_F(Supervised, KilledApplicationLeavesNoWorker)
{
    ::prctl(PR_SET_CHILD_SUBREAPER, 1); // orphans become children of this process
    for (int i = 0; i < 10; ++i) {
        start({"jkvmsupervisedsrc", "launch=jkvmaudiosrc device=" + pcm_.device(), "!",
               "jkvmsupervisedsink", "launch=fakesink"});
        // In every other round, the kill may precede the workers' check of their parent.
        ASSERT_TRUE(program_->wait_for_output("jkvm-child, reason=(string)started", 2));
        if (i % 2 == 0) {
            ASSERT_TRUE(program_->wait_for_output("jkvm-link, reason=(string)connected"));
            ASSERT_TRUE(program_->wait_for_output("jkvm-client, reason=(string)added"));
        }
        program_->send(SIGKILL);
        EXPECT_EQ(program_->wait(), 128 + SIGKILL);
        // Blocks indefinitely if a worker survives.
        while (::waitpid(-1, nullptr, 0) > 0) {
        }
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_F(Supervised, WorkerIsTheOnlyChildAndInheritsNoResources)
{
    // The application has an open descriptor, a systemd notification socket and a log file.
    start({"jkvmsupervisedsrc", "restart-delay=0", "launch=jkvmaudiosrc device=" + pcm_.device(),
           "!", "fakesink"},
          {"sh", "-c",
           "exec 9</dev/zero; exec env NOTIFY_SOCKET=/nowhere GST_DEBUG_FILE=/dev/null "
           "GST_TRACERS='rusage; jkvmmetrics(listen=127.0.0.1:0);stats' \"$@\"",
           "sh"});
    for (int i = 1; i <= 3; ++i) {
        const auto worker = wait_for_worker(i);
        ::kill(worker, SIGKILL);
        ASSERT_TRUE(program_->wait_for_output("jkvm-child, reason=(string)killed", i));
    }
    const auto worker = wait_for_worker(4);
    ASSERT_TRUE(program_->wait_for_output("jkvm-link, reason=(string)connected"));

    std::string children;
    const auto application = fs::path("/proc") / std::to_string(program_->pid());
    for (const auto &task : fs::directory_iterator(application / "task"))
        children += read_file(task.path() / "children");
    EXPECT_EQ(children, std::to_string(worker) + " ");

    const auto proc = fs::path("/proc") / std::to_string(worker);
    for (const char *name : {"NOTIFY_SOCKET", "GST_DEBUG_FILE"}) {
        EXPECT_NE(read_file(application / "environ").find(name), std::string::npos);
        EXPECT_EQ(read_file(proc / "environ").find(name), std::string::npos) << name;
    }
    EXPECT_EQ(fs::read_symlink(proc / "cwd"), fs::read_symlink(application / "cwd"));
    // The tracer's port is in use by the application.
    EXPECT_NE(read_file(application / "environ").find("jkvmmetrics"), std::string::npos);
    EXPECT_NE(read_file(proc / "environ").find(std::string("GST_TRACERS=rusage;stats\0", 25)),
              std::string::npos);
    const auto target = [](const fs::path &fd) {
        std::error_code closed; // the worker may have closed it meanwhile
        return fs::read_symlink(fd, closed).string();
    };
    EXPECT_EQ(target(application / "fd/9"), "/dev/zero");
    EXPECT_EQ(target(proc / "fd/0"), "/dev/null");
    std::string pipes;
    for (const auto &fd : fs::directory_iterator(proc / "fd")) {
        EXPECT_NE(target(fd), "/dev/zero") << fd;
        if (target(fd).starts_with("pipe:"))
            pipes += fd.path().filename().string() + " ";
    }
    EXPECT_EQ(pipes, "1 2 3 "); // the output, the errors, the heartbeats
    stop();
}

/// Plays a tone in a worker.
class SupervisedPlayback : public Supervised {
protected:
    SupervisedPlayback()
    {
        pcm_.record_playback();
        start(
            {"audiotestsrc", "is-live=true", "samplesperbuffer=960", "freq=997", "volume=0.5", "!",
             "audio/x-raw,rate=48000,channels=2", "!", "opusenc", "!", "jkvmsupervisedsink",
             "launch=jkvmadaptivequeue stats-interval=100 ! jkvmaudiosink device=" + pcm_.device()},
            {"env", "GST_DEBUG=jkvmadaptivequeue:4", "GST_DEBUG_NO_COLOR=1"});
    }
    /// Waits until the queue has logged its statistics several times after now.
    void wait_for_statistics()
    {
        const std::string field = "stretch-ppm=(double)";
        ASSERT_TRUE(program_->wait_for_output(field, program_->occurrences(field) + 5))
            << program_->output();
    }
    /// Waits for audio that is played after now.
    void expect_audio()
    {
        const auto begin = std::chrono::steady_clock::now();
        const auto has_audio = [&] {
            const PlayedAudio played(pcm_);
            return played.first_above(8000, begin.time_since_epoch()) < played.frames();
        };
        while (!has_audio()) {
            ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20))
                << program_->output() << pcm_.log();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
};

TEST_F(SupervisedPlayback, PlaysAndSlewsAfterTheWorkerIsKilledAndAfterADeviceLoss)
{
    for (int i = 1; i <= 3; ++i) {
        const auto worker = wait_for_worker(i);
        expect_audio();
        wait_for_statistics();
        ::kill(worker, SIGKILL);
        ASSERT_TRUE(program_->wait_for_output("jkvm-child, reason=(string)killed", i));
    }
    wait_for_worker(4);
    expect_audio();
    pcm_.send("unplug");
    // The three killed workers logged no end.
    ASSERT_TRUE(pcm_.wait_for_log(" closed", std::chrono::seconds(20))) << pcm_.log();
    ASSERT_TRUE(pcm_.wait_for_log("refused ENODEV", std::chrono::seconds(20))) << pcm_.log();
    pcm_.clear_open_errno();
    expect_audio();
    wait_for_statistics();
    stop();
    EXPECT_EQ(program_->occurrences("jkvm-child, reason=(string)started"), 4);
    // The queue of each worker has slewed its delay all the time.
    EXPECT_EQ(program_->occurrences("adapt-in-use=(string)frames"), 0) << program_->output();
    EXPECT_LT(program_->occurrences("stretch-ppm=(double)0,"),
              program_->occurrences("stretch-ppm=(double)"))
        << program_->output();
}

/// Runs the worker program alone, as systemd does.
class Service : public Supervised {
protected:
    Service() : notifications_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(
            ::bind(notifications_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address),
            0);
    }
    void run(const std::string &pipeline)
    {
        const char *worker = std::getenv("JKVM_WORKER");
        ASSERT_NE(worker, nullptr);
        program_.emplace(
            std::vector<std::string>{"env", "NOTIFY_SOCKET=" + path_, worker, pipeline});
    }
    /// Returns the next notification of the service manager; empty on a time-out.
    std::string next_notification()
    {
        pollfd entry{notifications_.get(), POLLIN, 0};
        std::array<char, 256> text{};
        if (::poll(&entry, 1, 20000) != 1)
            return {};
        const auto size = ::recv(notifications_.get(), text.data(), text.size(), 0);
        return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    }

    std::string path_ = directory_.file("notify");
    UniqueFd notifications_;
};

TEST_F(Service, NotifiesReadinessWithFirstAudioAndThenTheWatchdog)
{
    run("jkvmaudiosrc device=" + pcm_.device() +
        " ! jkvmipcsink socket-path=" + directory_.file("a.sock"));
    EXPECT_EQ(next_notification(), "READY=1");
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(next_notification(), "WATCHDOG=1");
    program_->send(SIGTERM);
    EXPECT_EQ(program_->wait(), 0) << program_->output();
}

TEST_F(Service, CompletesItsFileOnSigterm)
{
    run("jkvmaudiosrc device=" + pcm_.device() + " ! oggmux ! filesink location=" + recording_);
    EXPECT_EQ(next_notification(), "READY=1");
    program_->send(SIGTERM);
    EXPECT_EQ(program_->wait(), 0) << program_->output();
    constexpr std::size_t flags_offset = 5;
    constexpr int end_of_stream = 4;
    const auto file = read_file(recording_);
    EXPECT_NE(file.at(file.rfind("OggS") + flags_offset) & end_of_stream, 0);
}

TEST_F(Service, PrintsTheErrorThatEndsIt)
{
    run("jkvmaudiosrc on-device-lost=error device=jkvm_no_such_device ! fakesink");
    EXPECT_EQ(program_->wait(), 1);
    EXPECT_TRUE(program_->output().ends_with("jkvm-worker: jkvmaudiosrc0: Could not open audio "
                                             "device \"jkvm_no_such_device\": no such device.\n"))
        << program_->output();
}

} // namespace
} // namespace jkvm::testing
