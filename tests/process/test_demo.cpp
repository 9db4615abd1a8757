// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the demo as a user does, in a temporary directory, and checks its output and the files that
// it writes.
//
// Environment: JKVM_DEMO is the path of demo.sh; the demo inherits GST_PLUGIN_PATH, GST_REGISTRY
// and ALSA_CONFIG_PATH.
#include "alsa/signal.h"
#include "support/correlation.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <span>
#include <sstream>

namespace jkvm::testing {
namespace {

namespace fs = std::filesystem;

constexpr double sample_rate = 48000;
/// Audio that a busy machine may add to a recording or remove from it, in seconds. The demo is in
/// real time.
constexpr double disturbance = 1.5;

// NOLINTBEGIN(concurrency-mt-unsafe): this program has one thread
std::string environment(const char *name)
{
    const char *value = std::getenv(name);
    return value != nullptr ? value : "";
}

void set_path(const std::string &directories)
{
    setenv("PATH", directories.c_str(), 1);
}
// NOLINTEND(concurrency-mt-unsafe)

/// Returns the path of the first executable of that name on PATH, or an empty string.
std::string find_program(const std::string &name)
{
    std::istringstream directories(environment("PATH"));
    for (std::string directory; std::getline(directories, directory, ':');) {
        auto program = (fs::path(directory) / name).string();
        if (access(program.c_str(), X_OK) == 0)
            return program;
    }
    return {};
}

/// Plugins that are built with a sanitizer require its library to be preloaded. Puts a wrapper of
/// gst-launch-1.0 on PATH that does so.
void wrap_gst_launch(const fs::path &directory)
{
    const auto library = sanitizer_library();
    if (library.empty())
        return;
    const auto wrapper = directory / "gst-launch-1.0";
    fs::create_directories(directory);
    std::ofstream(wrapper) << "#!/bin/sh\n"
                           << "LD_PRELOAD=" << library << " exec " << find_program("gst-launch-1.0")
                           << " \"$@\"\n";
    fs::permissions(wrapper, fs::perms::owner_all);
    set_path(directory.string() + ":" + environment("PATH"));
}

/// Reaps all children and returns whether any are still running. Orphans of ended processes are
/// children of this process, which is a subreaper.
bool has_running_children()
{
    pid_t pid = 0;
    do
        pid = waitpid(-1, nullptr, WNOHANG);
    while (pid > 0);
    return pid == 0;
}

std::string read_file(const fs::path &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Whether the last page of an Ogg file has the end-of-stream flag.
bool has_end_of_stream(const fs::path &path)
{
    const auto file = read_file(path);
    const auto page = file.rfind("OggS");
    constexpr std::size_t flags_offset = 5;
    constexpr int end_of_stream = 4;
    return page != std::string::npos && page + flags_offset < file.size() &&
           (file[page + flags_offset] & end_of_stream) != 0;
}

double seconds(const Wave &wave)
{
    return static_cast<double>(wave.frames()) / wave.rate;
}

std::vector<float> to_mono(const Wave &wave)
{
    std::vector<float> mono(wave.frames());
    for (std::size_t i = 0; i < wave.samples.size(); ++i)
        mono[i / wave.channels] += static_cast<float>(wave.samples[i]);
    return mono;
}

const fs::path alsa_recordings = "/usr/share/sounds/alsa";

/// Returns the audio that the demo's test device plays in a loop: all words in alphabetical order.
std::vector<float> load_speech()
{
    std::vector<fs::path> words;
    for (const auto &entry : fs::directory_iterator(alsa_recordings)) {
        const auto name = entry.path().filename().string();
        if (name.find('_') != std::string::npos && entry.path().extension() == ".wav")
            words.push_back(entry.path());
    }
    std::sort(words.begin(), words.end());
    std::vector<float> speech;
    for (const auto &word : words) {
        const auto samples = to_mono(load_wave(word));
        speech.insert(speech.end(), samples.begin(), samples.end());
    }
    return speech;
}

double similarity(const std::vector<float> &recording, const std::vector<float> &loop)
{
    return find_in_loop(recording, loop).correlation;
}

/// Whether any second of the recording is part of the loop. On a busy machine, audio may be missing
/// between others.
bool has_second_of(const std::vector<float> &recording, const std::vector<float> &loop)
{
    constexpr auto second = static_cast<std::size_t>(sample_rate);
    for (std::size_t begin = 0; begin + second <= recording.size(); begin += second) {
        if (find_in_loop(std::span(recording).subspan(begin, second), loop).correlation > 0.9)
            return true;
    }
    return false;
}

class DemoTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

    void SetUp() override
    {
        wrap_gst_launch(directory_.path() / "bin");
        ASSERT_FALSE(demo_.empty()) << "JKVM_DEMO is not set";
    }
    void TearDown() override { set_path(path_); }

    Program &start_demo(std::vector<std::string> options)
    {
        options.insert(options.begin(), demo_);
        return program_.emplace(std::move(options), directory_.path().string());
    }

    Wave load_wav() { return load_wave(directory_.file("out/audio.wav")); }

    /// The Ogg file, decoded.
    Wave load_ogg()
    {
        Program decoder({"gst-launch-1.0", "-q", "filesrc", "location=out/audio.ogg", "!",
                         "oggdemux", "!", "opusdec", "!", "wavenc", "!", "filesink",
                         "location=decoded.wav"},
                        directory_.path().string());
        EXPECT_EQ(decoder.wait(), 0) << decoder.output();
        return load_wave(directory_.file("decoded.wav"));
    }

    /// Expects that no process and no socket directory of the demo, which has ended, remain.
    void expect_nothing_left()
    {
        EXPECT_FALSE(has_running_children());
        EXPECT_FALSE(fs::exists(socket_directory()));
    }
    [[nodiscard]] fs::path socket_directory() const
    {
        const auto &output = program_->output();
        constexpr std::string_view property = "socket-path=";
        const auto begin = output.find(property) + property.size();
        return fs::path(output.substr(begin, output.find_first_of(" \n", begin) - begin))
            .parent_path();
    }

    std::string path_ = environment("PATH");
    std::string demo_ = environment("JKVM_DEMO");
    TemporaryDirectory directory_;
    std::optional<Program> program_;
};

TEST_F(DemoTest, RecordsSpeechFromTestDevice)
{
    auto &demo = start_demo({"--seconds", "5"});
    ASSERT_EQ(demo.wait(), 0) << demo.output();
    expect_nothing_left();

    const auto wav = load_wav();
    const auto ogg = load_ogg();
    EXPECT_EQ(wav.rate, sample_rate);
    EXPECT_NEAR(seconds(wav), 5, disturbance);
    EXPECT_NEAR(seconds(ogg), 5, disturbance);
    EXPECT_TRUE(has_end_of_stream(directory_.file("out/audio.ogg")));

    const auto speech = load_speech();
    EXPECT_TRUE(has_second_of(to_mono(wav), speech)) << demo.output();
    EXPECT_TRUE(has_second_of(to_mono(ogg), speech)) << demo.output();

    // Other recordings do not match.
    const auto recording = to_mono(wav);
    EXPECT_LT(similarity(recording, {speech.rbegin(), speech.rend()}), 0.5);
    EXPECT_LT(similarity(recording, to_mono(load_wave(alsa_recordings / "Noise.wav"))), 0.5);
}

TEST_F(DemoTest, PrintsLevelLatencyAndLosses)
{
    auto &demo = start_demo({"--seconds", "3", "--output", "two words"});
    ASSERT_EQ(demo.wait(), 0) << demo.output();
    // About one line per second, at least one of them during a word.
    for (const char *text :
         {"   [1-3]\\.[0-9] s  \\[#+-*\\] +-[0-9]+ dB  latency ", " ms \\(average ",
          "  lost [0-9]+\n", "two words/audio\\.ogg +[1-5]\\.[0-9]{2} s ",
          "two words/audio\\.wav +[1-5]\\.[0-9]{2} s ", " received", " [0-9]+ lost", ", maximum "})
        EXPECT_TRUE(std::regex_search(demo.output(), std::regex(text))) << text << "\n"
                                                                        << demo.output();
    EXPECT_TRUE(fs::exists(directory_.file("two words/audio.wav")));
}

enum class Target { demo, process_group };

class DemoInterruptTest : public DemoTest, public ::testing::WithParamInterface<Target> {};

TEST_P(DemoInterruptTest, LeavesCompleteFiles)
{
    auto &demo = start_demo({"--seconds", "60"});
    ASSERT_TRUE(demo.wait_for_output(" dB  latency ", 2)) << demo.output(); // one line per second
    kill(GetParam() == Target::demo ? demo.pid() : -demo.pid(), SIGINT);
    EXPECT_EQ(demo.wait(), 130) << demo.output();
    expect_nothing_left();

    EXPECT_NE(demo.output().find("Stopped early. The recordings:"), std::string::npos)
        << demo.output();
    EXPECT_EQ(demo.output().find("incomplete"), std::string::npos) << demo.output();
    const auto wav = load_wav();
    EXPECT_GT(seconds(wav), 1.9);
    EXPECT_LT(seconds(wav), 20);
    EXPECT_NEAR(seconds(load_ogg()), seconds(wav), disturbance);
    EXPECT_TRUE(has_end_of_stream(directory_.file("out/audio.ogg")));
    EXPECT_TRUE(has_second_of(to_mono(wav), load_speech())) << demo.output();
}

INSTANTIATE_TEST_SUITE_P(Signal, DemoInterruptTest,
                         ::testing::Values(Target::demo, Target::process_group),
                         [](const auto &info) {
                             return info.param == Target::demo ? "ToTheDemo" : "ToItsProcessGroup";
                         });

TEST_F(DemoTest, EndsItsProcessesWhenItIsKilled)
{
    auto &demo = start_demo({"--seconds", "60"});
    ASSERT_TRUE(demo.wait_for_output(" dB  latency ")) << demo.output();
    demo.send(SIGKILL);
    EXPECT_EQ(demo.wait(), 128 + SIGKILL);
    // Its processes are now children of this one; one that does not end makes this test time out.
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    fs::remove_all(socket_directory()); // the killed demo could not do so
}

TEST_F(DemoTest, ReportsDeviceThatCannotBeOpened)
{
    auto &demo = start_demo({"--device", "jkvm_no_such_device"});
    EXPECT_EQ(demo.wait(), 1);
    expect_nothing_left();
    EXPECT_NE(demo.output().find("demo: capturing from jkvm_no_such_device failed:\n"),
              std::string::npos)
        << demo.output();
    EXPECT_NE(
        demo.output().find("Could not open audio device \"jkvm_no_such_device\": no such device."),
        std::string::npos)
        << demo.output();
    EXPECT_FALSE(fs::exists(directory_.file("out/audio.ogg")));
}

TEST_F(DemoTest, RejectsOutputDirectoryThatCannotBeCreated)
{
    std::ofstream(directory_.file("file")) << "not a directory";
    auto &demo = start_demo({"--output", "file"});
    EXPECT_EQ(demo.wait(), 1);
    EXPECT_NE(demo.output().find("demo: cannot create the output directory:"), std::string::npos)
        << demo.output();
}

TEST_F(DemoTest, RejectsInvalidOptions)
{
    const std::vector<std::vector<std::string>> invalid = {
        {"--wrong"},    {"--seconds", "0"}, {"--seconds", "1.5"}, {"--seconds", "3601"},
        {"--seconds="}, {"--device"},       {"--output", ""},     {"word"},
    };
    for (const auto &options : invalid) {
        auto &demo = start_demo(options);
        EXPECT_EQ(demo.wait(), 2) << options[0];
        EXPECT_EQ(demo.output().find("demo: "), 0u) << demo.output();
        EXPECT_NE(demo.output().find("; --help lists the options.\n"), std::string::npos);
    }
    EXPECT_FALSE(fs::exists(directory_.file("out")));
}

TEST_F(DemoTest, PrintsHelp)
{
    auto &demo = start_demo({"--help"});
    EXPECT_EQ(demo.wait(), 0);
    EXPECT_EQ(demo.output().find("usage: ./jkvm demo "), 0u) << demo.output();
}

} // namespace
} // namespace jkvm::testing
