// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmaudiosrc with each fault of a sound card: immediate silence without a gap in the
// timestamps, a message with the reason, and audio again when the fault ends.
#include "capture/capture_test.h"
#include "capture/resume_results.h"

#include <malloc.h>

#include <array>
#include <atomic>
#include <cmath>
#include <complex>
#include <ctime>
#include <functional>
#include <numbers>

namespace jkvm {
namespace {

using testing::TestPcm;

constexpr GstClockTime frame = 20 * GST_MSECOND;
constexpr auto half_a_second = 500 * GST_MSECOND;

struct Fault {
    const char *name;
    const char *reason;
    std::function<void(TestPcm &)> begin;
    std::function<void(TestPcm &)> end;
};

/// A fault that reopening the device does not end.
Fault lasting(const char *name, const char *reason, const std::string &command,
              const std::string &end)
{
    return {name, reason,
            [command](TestPcm &pcm) {
                pcm.set_at_open(command);
                pcm.send(command);
            },
            [end](TestPcm &pcm) {
                pcm.set_at_open("");
                pcm.send(end);
            }};
}

const Fault while_playing[] = {
    {"Unplugged", "unplugged", [](TestPcm &pcm) { pcm.send("unplug"); },
     [](TestPcm &pcm) { pcm.clear_open_errno(); }},
    {"UnpluggedAndTakenByAnother", "unplugged",
     [](TestPcm &pcm) {
         pcm.send("unplug");
         EXPECT_TRUE(pcm.wait_for_log("closed", testing::wait_timeout));
         pcm.set_open_errno("EBUSY");
     },
     [](TestPcm &pcm) { pcm.clear_open_errno(); }},
    lasting("ReadsFail", "io-error", "errs EIO", "errs 0"),
    lasting("RateChanged", "rate-changed", "errs EBADFD", "errs 0"),
    lasting("Frozen", "frozen", "freeze 3600000", "freeze 0"),
    lasting("FreeRunning", "free-running", "srcrate 1e9", "srcrate 0"),
    lasting("Stuck", "stuck", "constant -0.5", "constant off"),
};

const Fault at_start[] = {
    {"Missing", "missing", [](TestPcm &pcm) { pcm.set_open_errno("ENOENT"); },
     [](TestPcm &pcm) { pcm.clear_open_errno(); }},
    {"Busy", "busy", [](TestPcm &pcm) { pcm.set_open_errno("EBUSY"); },
     [](TestPcm &pcm) { pcm.clear_open_errno(); }},
    {"Forbidden", "forbidden", [](TestPcm &pcm) { pcm.set_open_errno("EACCES"); },
     [](TestPcm &pcm) { pcm.clear_open_errno(); }},
    {"Unusable", "unsupported", [](TestPcm &pcm) { pcm.set_rate(4000); },
     [](TestPcm &pcm) { pcm.set_rate(48000); }},
    lasting("Frozen", "frozen", "freeze 3600000", "freeze 0"),
    lasting("FreeRunning", "free-running", "srcrate 1e9", "srcrate 0"),
    lasting("Stuck", "stuck", "constant 0.5", "constant off"),
    lasting("ReadsFail", "io-error", "errs EIO", "errs 0"),
};

class CaptureFault : public CaptureTest, public ::testing::WithParamInterface<Fault> {
protected:
    void expect_silence_and_a_reason()
    {
        pipeline_->wait_for_element_message("jkvm-device", GetParam().reason);
        follow_until([](const Pulled &pulled) { return pulled.is_silence(); });
    }
    /// Expects a second of silence at the pace of the clock, with little CPU time.
    void expect_idle_silence()
    {
        timespec before{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        const auto begin = end_;
        while (end_ < begin + GST_SECOND)
            EXPECT_TRUE(follow().is_silence());
        timespec after{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        const auto used = GST_TIMESPEC_TO_TIME(after) - GST_TIMESPEC_TO_TIME(before);
        EXPECT_LT(used, GST_SECOND / 2);
        const auto now = gst_element_get_current_running_time(src());
        EXPECT_LT(GST_CLOCK_DIFF(end_, now), static_cast<GstClockTimeDiff>(GST_SECOND));
        EXPECT_GT(GST_CLOCK_DIFF(end_, now), -static_cast<GstClockTimeDiff>(frame));
    }
    void expect_audio_after_the_fault()
    {
        const auto ended = gst_element_get_current_running_time(src());
        GetParam().end(pcm_);
        const auto audio = follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
        EXPECT_EQ(text_stat("device-state"), "run");
        returns_.push_back(GST_CLOCK_DIFF(ended, audio.time()));
    }
    /// The median, because a busy machine may interrupt this process.
    void expect_returns_within_half_a_second()
    {
        ASSERT_EQ(returns_.size(), repetitions);
        std::ranges::sort(returns_);
        EXPECT_LT(returns_[repetitions / 2], static_cast<GstClockTimeDiff>(half_a_second));
    }

    static constexpr std::size_t repetitions = 3;
    std::vector<GstClockTimeDiff> returns_; // from the end of the fault to audio
};

class CaptureFaultWhilePlaying : public CaptureFault {};

TEST_P(CaptureFaultWhilePlaying, CausesSilenceUntilItEnds)
{
    open_samples("buffer-time=2000000");
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
    for (int i = 0; i < 10; ++i)
        EXPECT_FALSE(follow().is_silence());
    const auto descriptors = testing::open_descriptors();

    GetParam().begin(pcm_);
    expect_silence_and_a_reason();
    expect_idle_silence();
    EXPECT_NE(text_stat("device-state"), "run");
    expect_audio_after_the_fault();
    while (returns_.size() < repetitions) {
        GetParam().begin(pcm_);
        follow_until([](const Pulled &pulled) { return pulled.is_silence(); });
        expect_audio_after_the_fault();
    }

    expect_returns_within_half_a_second();
    EXPECT_EQ(recoveries_from(GetParam().reason), repetitions);
    EXPECT_EQ(testing::open_descriptors(), descriptors);
    EXPECT_EQ(stat("overruns"), 0u);
}

TEST_P(CaptureFaultWhilePlaying, CausesOneErrorIfConfigured)
{
    open_samples("buffer-time=2000000 on-device-lost=error");
    follow();
    GetParam().begin(pcm_);
    const auto error = pipeline_->wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_READ);
    EXPECT_NE(error.text.find(pcm_.device()), std::string::npos) << error.text;
}

TEST_P(CaptureFaultWhilePlaying, CausesEosIfConfigured)
{
    open_samples("buffer-time=2000000 on-device-lost=eos");
    follow();
    GetParam().begin(pcm_);
    pipeline_->wait_for_eos();
}

const auto name_of_case = [](const auto &info) { return std::string(info.param.name); };

INSTANTIATE_TEST_SUITE_P(Fault, CaptureFaultWhilePlaying, ::testing::ValuesIn(while_playing),
                         name_of_case);

class CaptureFaultAtStart : public CaptureFault {};

TEST_P(CaptureFaultAtStart, CausesSilenceUntilItEnds)
{
    while (returns_.size() < repetitions) {
        end_ = GST_CLOCK_TIME_NONE;
        GetParam().begin(pcm_);
        open_samples("buffer-time=2000000");
        expect_silence_and_a_reason();
        if (returns_.empty())
            expect_idle_silence();
        expect_audio_after_the_fault();
        EXPECT_EQ(recoveries_from(GetParam().reason), 1u);
        pipeline_.reset();
    }
    expect_returns_within_half_a_second();
}

INSTANTIATE_TEST_SUITE_P(Fault, CaptureFaultAtStart, ::testing::ValuesIn(at_start), name_of_case);

using CaptureDevice = CaptureTest;

TEST_F(CaptureDevice, CapturesAtTheNewRateOfTheSource)
{
    open_samples("buffer-time=2000000");
    for (int i = 0; i < 10; ++i)
        follow();
    pcm_.set_rate(44100);
    pcm_.send("errs EBADFD");
    pipeline_->wait_for_element_message("jkvm-device", "rate-changed");
    while (text_stat("device-state") != "run")
        follow();
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
    guint rate = 0;
    gst_structure_get_uint(testing::stats_of(src()).get(), "device-rate", &rate);
    EXPECT_EQ(rate, 44100u);
    EXPECT_LT(stat("silent-frames"), 100u) << "silence keeps taking the place of audio";
}

struct Resume {
    const char *name;
    std::vector<int> results; ///< of snd_pcm_resume() before the real function is called
};
class CaptureSuspended : public CaptureTest, public ::testing::WithParamInterface<Resume> {};

TEST_P(CaptureSuspended, ContinuesWithoutAGap)
{
    open_samples("buffer-time=2000000");
    for (int i = 0; i < 10; ++i)
        follow();
    testing::set_resume_results(GetParam().results);
    pcm_.send("suspend");
    pipeline_->wait_for_element_message("jkvm-device", "suspended");
    while (recoveries_from("suspended") == 0)
        follow();
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
    EXPECT_EQ(testing::resume_results_left(), 0u);
    EXPECT_EQ(stat("overruns"), 0u);
}

TEST_F(CaptureDevice, OverrunThatADriverReportsAfterAResumeIsNotCounted)
{
    open_samples("buffer-time=2000000");
    for (int i = 0; i < 10; ++i)
        follow();
    testing::set_resume_results({-EAGAIN, -EAGAIN});
    pcm_.send("suspend");
    pipeline_->wait_for_element_message("jkvm-device", "suspended");
    pcm_.send("err EPIPE"); // of the first read after the resume
    while (recoveries_from("suspended") == 0)
        follow();
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
    EXPECT_GE(pcm_.count_log("start"), 2u);
    EXPECT_EQ(stat("overruns"), 0u);
    EXPECT_EQ(stat("lost-time"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Resume, CaptureSuspended,
                         ::testing::Values(Resume{"Works", {}},
                                           Resume{"NotYet", {-EAGAIN, -EAGAIN, -EAGAIN}},
                                           Resume{"Unknown", {-ENOSYS}}),
                         name_of_case);

TEST_F(CaptureDevice, LeaksNothingAcrossUnplugs)
{
    open_samples("buffer-time=2000000");
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
    const auto descriptors = testing::open_descriptors();
    // Without the messages on the bus and the frames in the sink, which depend on the time that the
    // cycles took. Frames that waited in the sink have enlarged the pool.
    const auto memory_in_use = [this] {
        const auto bus = GstRef<GstBus>::adopt(gst_element_get_bus(pipeline_->get()));
        gst_bus_set_flushing(bus.get(), TRUE);
        gst_bus_set_flushing(bus.get(), FALSE);
        const auto now = gst_element_get_current_running_time(src());
        while (end_ + 2 * frame < now)
            follow();
        constexpr std::size_t pool_buffer = 8192; // more than a frame and its GstBuffer
        const auto pool = pool_buffer * stat("pool-size");
        const auto all = mallinfo2().uordblks;
        return all - std::min(all, pool);
    };
    std::size_t memory = 0;
    for (guint64 cycle = 1; cycle <= 12; ++cycle) {
        pcm_.send("unplug");
        follow_until([](const Pulled &pulled) { return pulled.is_silence(); });
        pcm_.clear_open_errno();
        follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
        EXPECT_EQ(recoveries_from("unplugged"), cycle);
        if (cycle == 4)
            memory = memory_in_use();
    }
    EXPECT_EQ(testing::open_descriptors(), descriptors);
    EXPECT_LT(memory_in_use(), memory + 50'000);
}

/// Phase of a 50 Hz tone at the buffer's timestamp, in ms of its period of 20 ms.
double phase_of(const Pulled &pulled)
{
    const double turn = 2 * std::numbers::pi * 50;
    std::complex<double> sum;
    const auto samples = pulled.samples();
    for (std::size_t i = 0; i < samples.size(); i += 2) {
        const auto time =
            static_cast<double>(pulled.time()) / GST_SECOND + static_cast<double>(i) / 2 / 48000;
        sum += static_cast<double>(samples[i]) * std::polar(1.0, -turn * time);
    }
    return std::arg(sum) / turn * 1000;
}

TEST(CaptureReturn, AudioHasItsCaptureTimeAfterSilence)
{
    TestPcm pcm({.frequency = 50});
    pcm.continue_content(); // the tone continues while the device is closed
    testing::Pipeline pipeline("jkvmaudiosrc name=src buffer-time=2000000 device=" + pcm.device() +
                               " ! audio/x-raw ! appsink name=sink sync=false");
    pipeline.play();
    const auto pull = [&pipeline] {
        return Pulled{GstRef<GstSample>::adopt(
            gst_app_sink_try_pull_sample(GST_APP_SINK(pipeline.element("sink")), 20 * GST_SECOND))};
    };
    auto audio = pull();
    std::array<double, 5> moved{};
    for (auto &by : moved) {
        for (int i = 0; i < 5; ++i)
            audio = pull();
        const auto before = phase_of(audio);
        pcm.send("unplug");
        while (!pull().is_silence()) {
        }
        pcm.clear_open_errno();
        while (pull().is_silence()) {
        }
        audio = pull(); // a whole frame of audio
        by = std::abs(std::remainder(phase_of(audio) - before, 20));
    }
    // A busy machine may disturb one or two measurements.
    std::ranges::sort(moved);
    EXPECT_LT(moved[2], 0.1);
}

TEST_F(CaptureDevice, StaysOpenWhileThePipelineIsBlocked)
{
    make("buffer-time=2000000", true);
    std::atomic<int> buffers{0};
    const auto hold_up = +[](GstPad *, GstPadProbeInfo *, gpointer count) {
        if (++*static_cast<std::atomic<int> *>(count) % 10 == 0)
            g_usleep(300'000); // a disk, a debugger, another process
        return GST_PAD_PROBE_OK;
    };
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(src(), "src"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, hold_up, &buffers, nullptr);
    pipeline_->play();
    for (int i = 0; i < 35; ++i)
        EXPECT_FALSE(follow().is_silence());
    EXPECT_EQ(stat("overruns"), 0u);
    EXPECT_EQ(stat("recoveries"), 0u);
    pipeline_->set_state(GST_STATE_NULL);
}

} // namespace
} // namespace jkvm
