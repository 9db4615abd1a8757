// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the property `device` of jkvmaudiosrc may change while a device runs.
#include "capture/capture_test.h"

#include "support/chirp.h"
#include "support/temporary_directory.h"

#include <fstream>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::Samples;
using testing::TestPcm;

class CaptureSwitch : public CaptureTest {
protected:
    void switch_to(const std::string &devices) { set("device", devices.c_str()); }
    /// Follows the stream, which must not be interrupted, until that device is in use.
    void follow_until_used(const std::string &device)
    {
        follow_until([&](const Pulled &) { return text_stat("device") == device; });
    }
    /// Expects the message, and that the first device goes on without silence.
    void expect_refused(const std::string &device, const char *reason)
    {
        const auto message = pipeline_->wait_for_element_message("jkvm-device", reason);
        const auto *fields = gst_message_get_structure(message.get());
        EXPECT_EQ(gst_structure_get_string(fields, "device"), device);
        EXPECT_STREQ(gst_structure_get_string(fields, "state"), "run");
        for (int i = 0; i < 10; ++i)
            EXPECT_FALSE(follow().is_silence());
        EXPECT_EQ(text_stat("device"), pcm_.device());
        EXPECT_EQ(text_stat("device-state"), "run");
        EXPECT_EQ(pcm_.count_log("closed"), 0u);
    }
    void start()
    {
        open_samples();
        follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
    }
};

TEST_F(CaptureSwitch, ContinuesWithTheNewDeviceWhereTheOldOneEnds)
{
    const testing::TemporaryDirectory directory;
    const auto file = directory.file("chirp.wav");
    testing::write_chirp(file, 2);
    // The position of each device's content is the time since the device was opened first.
    TestPcm first({.file = file});
    TestPcm second({.file = file});
    for (auto *pcm : {&first, &second})
        pcm->continue_content();
    const auto begin_of = [](const TestPcm &pcm) {
        std::int64_t time = 0;
        std::ifstream(pcm.directory() + "/continue") >> time;
        return std::chrono::duration_cast<Samples>(std::chrono::nanoseconds(time));
    };
    std::vector<std::int16_t> recording;
    const auto record = [&](auto condition) {
        follow_until([&](const Pulled &pulled) {
            const auto samples = pulled.samples();
            if (!recording.empty() || !pulled.is_silence())
                recording.insert(recording.end(), samples.begin(), samples.end());
            return condition();
        });
    };
    const auto record_for = [&](Samples duration) {
        const auto size = recording.size() + 2 * static_cast<std::size_t>(duration.count());
        record([&] { return recording.size() >= size; });
    };
    make({}, true);
    switch_to(first.device());
    pipeline_->play();
    record_for(500ms);
    switch_to(second.device());
    record([&] { return text_stat("device") == second.device(); });
    record_for(500ms);

    const auto account = testing::analyse_chirp(recording, 2, testing::pcm_tolerance);
    ASSERT_EQ(account.events.size(), 1u) << account;
    EXPECT_LE(account.events[0].concealed, 1ms) << account;
    const auto expected = begin_of(first) - begin_of(second);
    EXPECT_LE(std::chrono::abs(account.events[0].jump - expected), Samples(5ms)) << account;
    EXPECT_EQ(first.count_log("closed"), 1u);
    EXPECT_EQ(stat("silent-frames"), 0u);
}

TEST_F(CaptureSwitch, DeviceThatCannotBeOpenedLeavesTheOldOneRunning)
{
    TestPcm other;
    other.set_open_errno("EBUSY");
    start();
    switch_to(other.device());
    expect_refused(other.device(), "busy");
}

TEST_F(CaptureSwitch, DeviceThatDeliversNothingLeavesTheOldOneRunning)
{
    TestPcm other;
    other.set_at_open("freeze 100000");
    start();
    switch_to(other.device());
    expect_refused(other.device(), "frozen");
    EXPECT_EQ(other.count_log("closed"), 1u);
}

TEST_F(CaptureSwitch, OldDeviceStaysIfThoseBeforeItInTheListCannotBeOpened)
{
    TestPcm other;
    start();
    switch_to("nosuch;" + pcm_.device() + ";" + other.device());
    expect_refused("nosuch", "missing");
    EXPECT_EQ(other.count_log("opened"), 0u);
}

TEST_F(CaptureSwitch, FirstDeviceThatCanBeOpenedReplacesTheOldOne)
{
    TestPcm busy;
    TestPcm other({.frequency = 500});
    busy.set_open_errno("EBUSY");
    start();
    switch_to(busy.device() + ";" + other.device());
    follow_until_used(other.device());
    EXPECT_EQ(stat("silent-frames"), 0u);
}

TEST_F(CaptureSwitch, OldDeviceIsClosedFirstIfItBlocksTheNewOneOnItsCard)
{
    start();
    const auto same_card = pcm_.device() + ",FORMAT=S16_LE";
    pcm_.set_open_errno("EBUSY");
    switch_to(same_card);
    ASSERT_TRUE(pcm_.wait_for_log("closed", testing::wait_timeout));
    pcm_.clear_open_errno();
    follow_until_used(same_card);
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
}

TEST_F(CaptureSwitch, NewestChangeCounts)
{
    TestPcm second;
    TestPcm third;
    start();
    switch_to(second.device());
    switch_to(third.device());
    follow_until_used(third.device());
    switch_to(pcm_.device());
    follow_until_used(pcm_.device());
}

TEST_F(CaptureSwitch, FrameSizeMayChangeMeanwhile)
{
    TestPcm other;
    start();
    switch_to(other.device());
    gst_util_set_object_arg(G_OBJECT(src()), "frame-size", "10");
    follow_until_used(other.device());
    follow_until([](const Pulled &pulled) { return pulled.duration() <= 11 * GST_MSECOND; });
}

TEST_F(CaptureSwitch, PauseCompletesIt)
{
    TestPcm other;
    start();
    switch_to(other.device());
    pipeline_->set_state(GST_STATE_PAUSED);
    pipeline_->play();
    int frames = 0; // not contiguous at the pause
    while ((pull().is_silence() || text_stat("device") != other.device()) && frames < 500)
        ++frames;
    EXPECT_LT(frames, 500);
}

TEST_F(CaptureSwitch, OldDeviceMayBeUnpluggedMeanwhile)
{
    TestPcm other;
    start();
    switch_to(other.device());
    pcm_.send("unplug");
    follow_until_used(other.device());
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
}

} // namespace
} // namespace jkvm
