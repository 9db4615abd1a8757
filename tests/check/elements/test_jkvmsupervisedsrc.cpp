// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the supervised source with real workers. The environment variable JKVM_WORKER is the path
// of the worker program.
#include "supervised_source.h"
#include "support/temporary_directory.h"

#include "core/ipc/socket/connection.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>

namespace jkvm {
namespace {

using testing::immediate_restarts;
using testing::live_source;
using testing::number_field;
using testing::Pipeline;
using testing::stat;
using testing::text_field;

using JkvmSupervisedSrc = testing::SupervisedSource;

TEST_F(JkvmSupervisedSrc, NeedsALaunchLine)
{
    Pipeline pipeline("jkvmsupervisedsrc ! fakesink");
    EXPECT_EQ(pipeline.set_state(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    const auto error = pipeline.wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_SETTINGS);
    EXPECT_NE(error.debug.find("launch"), std::string::npos) << error.debug;
}

TEST_F(JkvmSupervisedSrc, FailsWithTheMessageOfTheParser)
{
    play("jkvmaudiosrcc device=hw:0,0");
    const auto error = pipeline_->wait_for_error();
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_SETTINGS);
    EXPECT_NE(error.text.find("no element \"jkvmaudiosrcc\""), std::string::npos) << error.text;
    EXPECT_EQ(stat(element_, "restarts"), 0u);
    EXPECT_EQ(stat(element_, "failures"), 1u);
}

TEST_F(JkvmSupervisedSrc, FailsIfTheWorkerDoesNotOutputOpus)
{
    play("audiotestsrc is-live=true");
    const auto error = pipeline_->wait_for_error();
    EXPECT_NE(error.text.find("could not link audiotestsrc0"), std::string::npos) << error.text;
}

TEST_F(JkvmSupervisedSrc, OutputsTheWorkersAudioInItsFormat)
{
    play("audiotestsrc is-live=true ! audio/x-raw,rate=24000,channels=1 ! opusenc");
    const auto sample = pull();
    ASSERT_TRUE(sample);
    const auto *caps = gst_caps_get_structure(gst_sample_get_caps(sample.get()), 0);
    gint channels = 0;
    gint rate = 0;
    gst_structure_get(caps, "channels", G_TYPE_INT, &channels, "rate", G_TYPE_INT, &rate, nullptr);
    EXPECT_EQ(channels, 1);
    EXPECT_EQ(rate, 24000);
    expect_audio(5);
}

TEST_F(JkvmSupervisedSrc, ReportsTheWorkersStateAndUsage)
{
    play(live_source);
    const auto pid = wait_for_start();
    expect_audio(60); // usage is sampled once a second
    const auto stats = testing::stats_of(element_);
    gboolean running = FALSE;
    gint stats_pid = 0;
    gdouble cpu_percent = -1;
    ASSERT_TRUE(gst_structure_get(stats.get(), "running", G_TYPE_BOOLEAN, &running, "pid",
                                  G_TYPE_INT, &stats_pid, "cpu-percent", G_TYPE_DOUBLE,
                                  &cpu_percent, nullptr));
    EXPECT_TRUE(running);
    EXPECT_EQ(stats_pid, pid);
    EXPECT_GT(cpu_percent, 0);
    EXPECT_GT(stat(element_, "rss"), 1u << 20);
    EXPECT_GT(stat(element_, "vms"), stat(element_, "rss"));
    EXPECT_GT(stat(element_, "heartbeats"), 0u);
}

TEST_F(JkvmSupervisedSrc, RestartsAWorkerWithABlockedSource)
{
    // It reads audio from a pipe that contains one second.
    testing::TemporaryDirectory directory;
    const auto path = directory.file("audio");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const UniqueFd pipe(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    constexpr int second = 48000 * 2; // bytes
    ASSERT_GE(::fcntl(pipe.get(), F_SETPIPE_SZ, second), second);
    const std::vector<char> silence(second);
    ASSERT_EQ(::write(pipe.get(), silence.data(), silence.size()), second);
    play("filesrc location=" + path +
             " ! rawaudioparse sample-rate=48000 num-channels=1 ! "
             "identity sync=true ! opusenc",
         std::string("stop-timeout=50 ") + immediate_restarts);
    expect_audio(10);
    wait_for("hang");
}

TEST_F(JkvmSupervisedSrc, FailsAtTheEndOfTheWorkersStream)
{
    play("audiotestsrc is-live=true num-buffers=10 ! opusenc", "max-restarts=0");
    const auto message = wait_for("exited");
    EXPECT_EQ(number_field(message, "exit-status"), 0) << text_field(message, "errors");
    const auto error = pipeline_->wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_FAILED);
    EXPECT_NE(error.text.find("exited with status 0"), std::string::npos) << error.text;
}

TEST_F(JkvmSupervisedSrc, ReportsTheWorkersLastErrorsAtTheLimit)
{
    play("jkvmaudiosrc on-device-lost=error device=jkvm_no_such_device",
         std::string("max-restarts=2 ") + immediate_restarts);
    const auto error = pipeline_->wait_for_error();
    EXPECT_NE(error.text.find("exited with status 1"), std::string::npos) << error.text;
    EXPECT_NE(
        error.debug.find("Could not open audio device \"jkvm_no_such_device\": no such device."),
        std::string::npos)
        << error.debug;
    EXPECT_EQ(stat(element_, "exits"), 3u);
}

TEST_F(JkvmSupervisedSrc, SendsGapsWithOnFailureSilence)
{
    play("jkvmaudiosrc on-device-lost=error device=jkvm_no_such_device",
         std::string("on-failure=silence max-restarts=1 ") + immediate_restarts);
    for (int i = 0; i < 4; ++i)
        wait_for("exited");
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(sink_), "sink"));
    testing::PassedList list;
    const auto probe = gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                                         testing::note_passed, &list, nullptr);
    for (int i = 0; i < 4; ++i)
        wait_for("exited");
    while (list.lock()->size() < 3)
        g_thread_yield();
    gst_pad_remove_probe(pad.get(), probe);
    EXPECT_TRUE(list.snapshot().back().is_gap);
}

TEST_F(JkvmSupervisedSrc, KeepsItsWorkerWhileItIsPaused)
{
    play(live_source);
    const auto pid = wait_for_start();
    expect_audio(2);
    for (int i = 0; i < 5; ++i) {
        pipeline_->set_state(GST_STATE_PAUSED);
        pipeline_->play();
        expect_audio(2);
    }
    EXPECT_EQ(::kill(pid, 0), 0);
    EXPECT_EQ(stat(element_, "restarts"), 0u);
    pipeline_->set_state(GST_STATE_READY);
    EXPECT_NE(::kill(pid, 0), 0) << "the process or its zombie still exists";
    gchar *last_exit = nullptr;
    gst_structure_get(testing::stats_of(element_).get(), "last-exit", G_TYPE_STRING, &last_exit,
                      nullptr);
    EXPECT_STREQ(last_exit, "stopped");
    g_free(last_exit);
}

TEST_F(JkvmSupervisedSrc, LeaksNothingOverRepeatedStarts)
{
    play(live_source);
    expect_audio(1);
    pipeline_->set_state(GST_STATE_NULL);
    const auto before = testing::open_descriptors();
    for (int i = 0; i < 5; ++i) {
        pipeline_->play();
        if (i % 2 == 0)
            expect_audio(1);
        pipeline_->set_state(GST_STATE_NULL);
    }
    EXPECT_EQ(testing::open_descriptors(), before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child process is left";
}

TEST_F(JkvmSupervisedSrc, RejectsClientsOtherThanItsWorker)
{
    play(live_source);
    expect_audio(1);
    gchar *path = nullptr;
    auto *ipc = pipeline_->element("ipc");
    g_object_get(ipc, "socket-path", &path, nullptr);
    auto stranger = jkvm::connect_to({.path = path});
    g_free(path);
    ASSERT_TRUE(stranger);
    EXPECT_TRUE(testing::is_closed_by_peer(stranger->get()));
    expect_audio(5);
    EXPECT_EQ(stat(ipc, "connects"), 1u);
    EXPECT_EQ(stat(ipc, "rejects"), 1u);
}

TEST_F(JkvmSupervisedSrc, ReportsTheLatencyOfTheLink)
{
    play(live_source);
    expect_audio(1);
    auto *query = gst_query_new_latency();
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(element_, "src"));
    ASSERT_TRUE(gst_pad_query(pad.get(), query));
    gboolean is_live = FALSE;
    GstClockTime minimum = 0;
    gst_query_parse_latency(query, &is_live, &minimum, nullptr);
    gst_query_unref(query);
    EXPECT_TRUE(is_live);
    EXPECT_GE(minimum, 20 * GST_MSECOND);
}

} // namespace
} // namespace jkvm
