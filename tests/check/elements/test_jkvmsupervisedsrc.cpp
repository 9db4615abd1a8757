// SPDX-License-Identifier: LGPL-2.1-or-later
// The supervised source with real workers. JKVM_WORKER in the environment says where that program
// is.
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include "core/base/guarded.h"
#include "core/ipc/socket/connection.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

namespace jkvm {
namespace {

using testing::Pipeline;
using testing::stat;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

constexpr const char *sound = "audiotestsrc is-live=true samplesperbuffer=960 ! opusenc";
constexpr const char *restarts_at_once = "restart-delay=0 max-restart-delay=0";

std::string text_field(const GstRef<GstMessage> &message, const char *field)
{
    const auto *structure = gst_message_get_structure(message.get());
    const char *text = gst_structure_get_string(structure, field);
    return text != nullptr ? text : "";
}

int number_field(const GstRef<GstMessage> &message, const char *field)
{
    gint number = -1;
    EXPECT_TRUE(gst_structure_get_int(gst_message_get_structure(message.get()), field, &number));
    return number;
}

/// `jkvmsupervisedsrc name=s launch="..." ! appsink`
class JkvmSupervisedSrc : public ::testing::Test {
protected:
    void play(const std::string &launch, const std::string &properties = "")
    {
        pipeline_.emplace("jkvmsupervisedsrc name=s launch=\"" + launch + "\" " + properties +
                          " ! appsink name=sink sync=false");
        element_ = pipeline_->element("s");
        sink_ = GST_APP_SINK(pipeline_->element("sink"));
        pipeline_->play();
    }
    GstRef<GstSample> pull()
    {
        const auto timeout =
            static_cast<GstClockTime>(std::chrono::nanoseconds(testing::patience).count());
        return GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink_, timeout));
    }
    void expect_sound(int frames)
    {
        for (int i = 0; i < frames; ++i)
            ASSERT_TRUE(pull()) << "no sound";
    }
    GstRef<GstMessage> wait_for(const char *reason)
    {
        return pipeline_->wait_for_element_message("jkvm-child", reason);
    }
    pid_t wait_for_start() { return number_field(wait_for("started"), "pid"); }

    pid_t worker()
    {
        gint pid = 0;
        gst_structure_get_int(testing::stats_of(element_).get(), "pid", &pid);
        return pid;
    }

    std::optional<Pipeline> pipeline_;
    GstElement *element_ = nullptr;
    GstAppSink *sink_ = nullptr;
};

TEST_F(JkvmSupervisedSrc, NeedsALaunchLine)
{
    Pipeline pipeline("jkvmsupervisedsrc ! fakesink");
    EXPECT_EQ(pipeline.set_state(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    const auto error = pipeline.wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_SETTINGS);
    EXPECT_NE(error.debug.find("launch"), std::string::npos) << error.debug;
}

TEST_F(JkvmSupervisedSrc, FailsWithTheParsersOwnWords)
{
    play("jkvmaudiosrcc device=hw:0,0");
    const auto error = pipeline_->wait_for_error();
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_SETTINGS);
    EXPECT_NE(error.text.find("no element \"jkvmaudiosrcc\""), std::string::npos) << error.text;
    EXPECT_EQ(stat(element_, "restarts"), 0u);
    EXPECT_EQ(stat(element_, "failures"), 1u);
}

TEST_F(JkvmSupervisedSrc, FailsWhenTheWorkerPutsOutSomethingElseThanOpus)
{
    play("audiotestsrc is-live=true");
    const auto error = pipeline_->wait_for_error();
    EXPECT_NE(error.text.find("could not link audiotestsrc0"), std::string::npos) << error.text;
}

TEST_F(JkvmSupervisedSrc, PutsOutTheSoundOfTheWorkerInItsFormat)
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
    expect_sound(5);
}

TEST_F(JkvmSupervisedSrc, SaysWhatTheWorkerDoesAndTakes)
{
    play(sound);
    const auto pid = wait_for_start();
    expect_sound(60); // the usage is measured once a second
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

/// What passes a pad, in order.
struct Passed {
    GstClockTime start;
    GstClockTime duration;
    bool is_gap;
    bool is_discontinuity;
};
using PassedList = Guarded<std::vector<Passed>>;

GstPadProbeReturn note(GstPad *, GstPadProbeInfo *info, gpointer list)
{
    Passed passed{};
    if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
        const auto *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        passed = {GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer), false,
                  GST_BUFFER_IS_DISCONT(buffer) != FALSE};
    } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_GAP) {
        passed.is_gap = true;
        gst_event_parse_gap(GST_PAD_PROBE_INFO_EVENT(info), &passed.start, &passed.duration);
    } else {
        return GST_PAD_PROBE_OK;
    }
    static_cast<PassedList *>(list)->lock()->push_back(passed);
    return GST_PAD_PROBE_OK;
}

/// Its timestamps go on without a step: what is missing is filled with gaps.
class JkvmSupervisedSrcTimeLine : public JkvmSupervisedSrc {
protected:
    void watch()
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(sink_), "sink"));
        gst_pad_add_probe(pad.get(),
                          static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                       GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                          note, &list_, nullptr);
    }
    void expect_discontinuity()
    {
        for (;;) {
            const auto sample = pull();
            ASSERT_TRUE(sample) << "no sound";
            if (GST_BUFFER_IS_DISCONT(gst_sample_get_buffer(sample.get())))
                return;
        }
    }
    /// Of all that has passed.
    GstClockTime sum_gaps()
    {
        const auto passed = list_.snapshot();
        GstClockTime sum = 0;
        for (std::size_t i = 0; i < passed.size(); ++i) {
            sum += passed[i].is_gap ? passed[i].duration : 0;
            if (i == 0)
                continue;
            const auto &before = passed[i - 1];
            EXPECT_EQ(passed[i].start, before.start + before.duration) << i;
            EXPECT_TRUE(passed[i].is_gap || !before.is_gap || passed[i].is_discontinuity) << i;
        }
        return sum;
    }

    /// Before each discontinuity.
    std::vector<GstClockTime> holes()
    {
        std::vector<GstClockTime> result;
        std::optional<GstClockTime> end; // of the last buffer
        for (const auto &passed : list_.snapshot()) {
            if (passed.is_gap)
                continue;
            if (end && passed.is_discontinuity)
                result.push_back(passed.start - *end);
            end = passed.start + passed.duration;
        }
        return result;
    }

    PassedList list_;
};

TEST_F(JkvmSupervisedSrcTimeLine, GoesOnAfterACrashWithADiscontinuity)
{
    play(sound, restarts_at_once);
    watch();
    constexpr int crashes = 3;
    for (int i = 0; i < crashes; ++i) {
        const auto pid = wait_for_start();
        expect_discontinuity();
        expect_sound(10);
        ::kill(pid, SIGABRT);
        const auto message = wait_for("killed");
        EXPECT_EQ(number_field(message, "pid"), pid);
        EXPECT_EQ(number_field(message, "signal"), SIGABRT);
        EXPECT_EQ(text_field(message, "detail"), "was killed by signal 6 (Aborted)");
    }
    wait_for_start();
    expect_discontinuity();
    pipeline_->set_state(GST_STATE_PAUSED);
    sum_gaps();
    EXPECT_EQ(stat(element_, "kills"), 3u);
    EXPECT_EQ(stat(element_, "restarts"), 3u);
}

TEST_F(JkvmSupervisedSrcTimeLine, HasSoundAgainWithinHalfASecond)
{
    // With the properties as they are by default: five restarts, at once for a worker that had
    // lived.
    play(sound);
    wait_for_start();
    expect_discontinuity();
    watch();
    for (int i = 0; i < 5; ++i) {
        expect_sound(50); // a second
        ::kill(worker(), SIGKILL);
        wait_for("killed");
        wait_for_start();
        expect_discontinuity();
    }
    pipeline_->set_state(GST_STATE_PAUSED);
    auto outages = holes();
    ASSERT_GE(outages.size(), 5u);
    // The machine may be busy for a moment; sanitizers make programs start slowly.
    std::sort(outages.begin(), outages.end());
    EXPECT_LT(outages[outages.size() / 2], is_sanitized ? 5 * GST_SECOND : 500 * GST_MSECOND);
    EXPECT_EQ(stat(element_, "kills"), 5u);
}

TEST_F(JkvmSupervisedSrcTimeLine, HasAGapAsLongAsTheOutage)
{
    play(sound, std::string("hang-timeout=1000 ") + restarts_at_once);
    const auto pid = wait_for_start();
    expect_discontinuity();
    expect_sound(10);
    watch();
    ::kill(pid, SIGSTOP);
    const auto message = wait_for("hang");
    EXPECT_EQ(number_field(message, "pid"), pid);
    wait_for_start();
    expect_discontinuity();
    pipeline_->set_state(GST_STATE_PAUSED);
    // The time-out counts from the last heartbeat: there are ten a second.
    EXPECT_GE(sum_gaps(), 800 * GST_MSECOND);
    EXPECT_EQ(stat(element_, "hangs"), 1u);
}

TEST_F(JkvmSupervisedSrc, RepairsAWorkerWhoseStreamingThreadIsStuck)
{
    // It reads sound from a pipe that has a second of it, and then no more.
    testing::TemporaryDirectory directory;
    const auto path = directory.file("sound");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const UniqueFd pipe(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    constexpr int second = 48000 * 2; // bytes
    ASSERT_GE(::fcntl(pipe.get(), F_SETPIPE_SZ, second), second);
    const std::vector<char> silence(second);
    ASSERT_EQ(::write(pipe.get(), silence.data(), silence.size()), second);
    play("filesrc location=" + path +
             " ! rawaudioparse sample-rate=48000 num-channels=1 ! "
             "identity sync=true ! opusenc",
         std::string("stop-timeout=50 ") + restarts_at_once);
    expect_sound(10);
    wait_for("hang");
}

TEST_F(JkvmSupervisedSrc, CountsAnEndOfTheWorkersStreamAsAFailure)
{
    play("audiotestsrc is-live=true num-buffers=10 ! opusenc", "max-restarts=0");
    const auto message = wait_for("exited");
    EXPECT_EQ(number_field(message, "exit-status"), 0) << text_field(message, "errors");
    const auto error = pipeline_->wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_FAILED);
    EXPECT_NE(error.text.find("exited with status 0"), std::string::npos) << error.text;
}

TEST_F(JkvmSupervisedSrc, SaysAtTheLimitWhatTheWorkerSaidLast)
{
    play("jkvmaudiosrc on-device-lost=error device=jkvm_no_such_device",
         std::string("max-restarts=2 ") + restarts_at_once);
    const auto error = pipeline_->wait_for_error();
    EXPECT_NE(error.text.find("exited with status 1"), std::string::npos) << error.text;
    EXPECT_NE(error.debug.find("There is no sound device \"jkvm_no_such_device\"."),
              std::string::npos)
        << error.debug;
    EXPECT_EQ(stat(element_, "exits"), 3u);
}

TEST_F(JkvmSupervisedSrc, GoesOnInSilenceIfToldSo)
{
    play("jkvmaudiosrc on-device-lost=error device=jkvm_no_such_device",
         std::string("on-failure=silence max-restarts=1 ") + restarts_at_once);
    for (int i = 0; i < 4; ++i)
        wait_for("exited");
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(sink_), "sink"));
    PassedList list;
    const auto probe =
        gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note, &list, nullptr);
    for (int i = 0; i < 4; ++i)
        wait_for("exited");
    while (list.lock()->size() < 3)
        g_thread_yield();
    gst_pad_remove_probe(pad.get(), probe);
    EXPECT_TRUE(list.snapshot().back().is_gap);
}

TEST_F(JkvmSupervisedSrc, KeepsItsWorkerWhileItIsPaused)
{
    play(sound);
    const auto pid = wait_for_start();
    expect_sound(2);
    for (int i = 0; i < 5; ++i) {
        pipeline_->set_state(GST_STATE_PAUSED);
        pipeline_->play();
        expect_sound(2);
    }
    EXPECT_EQ(::kill(pid, 0), 0);
    EXPECT_EQ(stat(element_, "restarts"), 0u);
    pipeline_->set_state(GST_STATE_READY);
    EXPECT_NE(::kill(pid, 0), 0) << "a process or a zombie is left";
    gchar *last_exit = nullptr;
    gst_structure_get(testing::stats_of(element_).get(), "last-exit", G_TYPE_STRING, &last_exit,
                      nullptr);
    EXPECT_STREQ(last_exit, "stopped");
    g_free(last_exit);
}

TEST_F(JkvmSupervisedSrc, LeavesNothingBehindWhenItIsStartedAndStoppedAllTheTime)
{
    play(sound);
    expect_sound(1);
    pipeline_->set_state(GST_STATE_NULL);
    const auto before = testing::open_descriptors();
    for (int i = 0; i < 5; ++i) {
        pipeline_->play();
        if (i % 2 == 0)
            expect_sound(1);
        pipeline_->set_state(GST_STATE_NULL);
    }
    EXPECT_EQ(testing::open_descriptors(), before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "there is a child";
}

TEST_F(JkvmSupervisedSrc, LetsNobodyButItsWorkerIn)
{
    play(sound);
    expect_sound(1);
    gchar *path = nullptr;
    auto *ipc = pipeline_->element("ipc");
    g_object_get(ipc, "socket-path", &path, nullptr);
    auto stranger = jkvm::connect_to({.path = path});
    g_free(path);
    ASSERT_TRUE(stranger);
    EXPECT_TRUE(testing::is_closed_by_peer(stranger->get()));
    expect_sound(5);
    EXPECT_EQ(stat(ipc, "connects"), 1u);
    EXPECT_EQ(stat(ipc, "rejects"), 1u);
}

TEST_F(JkvmSupervisedSrc, LatencyIsThatOfTheLink)
{
    play(sound);
    expect_sound(1);
    auto *query = gst_query_new_latency();
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(element_, "src"));
    ASSERT_TRUE(gst_pad_query(pad.get(), query));
    gboolean is_live = FALSE;
    GstClockTime least = 0;
    gst_query_parse_latency(query, &is_live, &least, nullptr);
    gst_query_unref(query);
    EXPECT_TRUE(is_live);
    EXPECT_GE(least, 20 * GST_MSECOND);
}

} // namespace
} // namespace jkvm
