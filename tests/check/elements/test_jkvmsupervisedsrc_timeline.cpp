// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the supervised source's timestamps are continuous across outages of its worker.
#include "supervised_source.h"
#include "support/temporary_directory.h"

#include "core/base/time.h"

#include <algorithm>
#include <csignal>

namespace jkvm {
namespace {

using testing::immediate_restarts;
using testing::live_source;
using testing::number_field;
using testing::Pipeline;
using testing::stat;
using testing::text_field;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

/// Observes the timestamps, which must be continuous: GAP events fill an outage.
class JkvmSupervisedSrcTimeline : public testing::SupervisedSource {
protected:
    void watch()
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(sink_), "sink"));
        gst_pad_add_probe(pad.get(),
                          static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                       GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                          testing::note_passed, &list_, nullptr);
    }
    void expect_discontinuity()
    {
        for (;;) {
            const auto sample = pull();
            ASSERT_TRUE(sample) << "no audio";
            if (GST_BUFFER_IS_DISCONT(gst_sample_get_buffer(sample.get())))
                return;
        }
    }
    /// Checks all timestamps and returns the total duration of the GAP events.
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

    /// Returns the duration of the outage before each discontinuity.
    std::vector<GstClockTime> outages()
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

    testing::PassedList list_;
};

TEST_F(JkvmSupervisedSrcTimeline, ContinuesAfterACrashWithADiscontinuity)
{
    play(live_source, immediate_restarts);
    watch();
    constexpr int crashes = 3;
    for (int i = 0; i < crashes; ++i) {
        const auto pid = wait_for_start();
        expect_discontinuity();
        expect_audio(10);
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

TEST_F(JkvmSupervisedSrcTimeline, RecoversWithinHalfASecond)
{
    // With the default properties: five restarts, immediate for a healthy worker.
    play(live_source);
    wait_for_start();
    expect_discontinuity();
    watch();
    for (int i = 0; i < 5; ++i) {
        expect_audio(50); // a second
        ::kill(worker(), SIGKILL);
        wait_for("killed");
        wait_for_start();
        expect_discontinuity();
    }
    pipeline_->set_state(GST_STATE_PAUSED);
    auto durations = outages();
    ASSERT_GE(durations.size(), 5u);
    // The median tolerates a busy machine; sanitizers slow down the start of programs.
    std::sort(durations.begin(), durations.end());
    EXPECT_LT(durations[durations.size() / 2], is_sanitized ? 5 * GST_SECOND : 500 * GST_MSECOND);
    EXPECT_EQ(stat(element_, "kills"), 5u);
}

TEST_F(JkvmSupervisedSrcTimeline, SendsGapsWhileTheWorkersSourceHasNoAudio)
{
    // Without a client of the sink, the source in the worker sends GAP events only.
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    pipeline_.emplace("jkvmsupervisedsrc name=s launch=\"jkvmaudiosrc device=jkvm_no_such_device\" "
                      "! jkvmipcsink name=sink socket-path=" +
                      path);
    element_ = pipeline_->element("s");
    const auto pad =
        GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline_->element("sink"), "sink"));
    gst_pad_add_probe(pad.get(),
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                      testing::note_passed, &list_, nullptr);
    pipeline_->play();
    const auto wait_for = [this](bool is_gap, std::size_t count) {
        const auto begin = list_.lock()->size();
        const auto deadline = monotonic_now() + testing::wait_timeout;
        const auto passed = [&] {
            const auto list = list_.snapshot();
            return static_cast<std::size_t>(
                std::count_if(list.begin() + static_cast<std::ptrdiff_t>(begin), list.end(),
                              [is_gap](const auto &item) { return item.is_gap == is_gap; }));
        };
        while (passed() < count) {
            ASSERT_LT(monotonic_now(), deadline) << (is_gap ? "no gaps" : "no audio");
            g_usleep(1000);
        }
    };
    for (int i = 0; i < 3; ++i) {
        {
            Pipeline client("jkvmipcsrc socket-path=" + path + " ! fakesink");
            client.play();
            wait_for(false, 20);
        }
        wait_for(true, 5);
    }
    pipeline_->set_state(GST_STATE_PAUSED);
    sum_gaps();
    EXPECT_EQ(stat(pipeline_->element("ipc"), "lost"), 0u);
    EXPECT_EQ(stat(element_, "hangs"), 0u);
}

TEST_F(JkvmSupervisedSrcTimeline, SendsGapsAsLongAsTheOutage)
{
    play(live_source, std::string("hang-timeout=1000 ") + immediate_restarts);
    const auto pid = wait_for_start();
    expect_discontinuity();
    expect_audio(10);
    watch();
    ::kill(pid, SIGSTOP);
    const auto message = wait_for("hang");
    EXPECT_EQ(number_field(message, "pid"), pid);
    wait_for_start();
    expect_discontinuity();
    pipeline_->set_state(GST_STATE_PAUSED);
    // The time-out starts with the last heartbeat, up to 100 ms ago.
    EXPECT_GE(sum_gaps(), 800 * GST_MSECOND);
    EXPECT_EQ(stat(element_, "hangs"), 1u);
}

} // namespace
} // namespace jkvm
