// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmaudiosrc with devices that cannot be opened: the list of devices, messages and errors.
#include "capture/capture_test.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

namespace jkvm {
namespace {

using testing::TestPcm;

using CaptureOpening = CaptureTest;

TEST_F(CaptureOpening, UsesTheFirstWorkingDeviceOfTheList)
{
    TestPcm second({.frequency = 500});
    pcm_.set_open_errno("EBUSY");
    make({}, true);
    set("device", (pcm_.device() + "; " + second.device()).c_str());
    pipeline_->play();
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
    EXPECT_EQ(text_stat("device"), second.device());
    // Without the second device the first one is used as soon as it can be opened.
    pcm_.clear_open_errno();
    second.send("unplug");
    pipeline_->wait_for_element_message("jkvm-device", "unplugged");
    while (text_stat("device") != pcm_.device())
        follow();
    follow_until([](const Pulled &pulled) { return !pulled.is_silence(); });
}

TEST_F(CaptureOpening, MissingDeviceCausesSilenceAndAMessage)
{
    pipeline_ = std::make_unique<testing::Pipeline>(
        "jkvmaudiosrc name=src device=nosuch ! appsink name=sink sync=false");
    src_ = pipeline_->element("src");
    pipeline_->play();
    const auto message = pipeline_->wait_for_element_message("jkvm-device", "missing");
    const auto *structure = gst_message_get_structure(message.get());
    EXPECT_STREQ(gst_structure_get_string(structure, "device"), "nosuch");
    const std::string detail = gst_structure_get_string(structure, "detail");
    EXPECT_NE(detail.find("No such file"), std::string::npos) << detail;
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(follow().bytes().size(), 3u) << "coded silence";
}

/// Redirects stderr to a file while it exists.
class StderrCapture {
public:
    StderrCapture()
    {
        ::fflush(stderr);
        ::dup2(::fileno(file_), STDERR_FILENO);
    }
    ~StderrCapture()
    {
        ::dup2(original_, STDERR_FILENO);
        ::close(original_);
        ::fclose(file_);
    }
    StderrCapture(const StderrCapture &) = delete;
    StderrCapture &operator=(const StderrCapture &) = delete;
    [[nodiscard]] std::string text()
    {
        ::fflush(stderr);
        std::string text(static_cast<std::size_t>(::lseek(::fileno(file_), 0, SEEK_END)), ' ');
        ::pread(::fileno(file_), text.data(), text.size(), 0);
        return text;
    }

private:
    FILE *file_ = ::tmpfile();
    int original_ = ::dup(STDERR_FILENO);
};

TEST_F(CaptureOpening, MissingDevicePrintsNothingToStderr)
{
    if (g_getenv("GST_DEBUG") != nullptr)
        GTEST_SKIP() << "GST_DEBUG prints to stderr";
    StderrCapture capture;
    {
        testing::Pipeline pipeline("jkvmaudiosrc device=nosuch ! fakesink name=sink");
        pipeline.play();
        // Several attempts to open it, the first of them on this thread.
        while (gst_element_get_current_running_time(pipeline.get()) < 700 * GST_MSECOND)
            g_usleep(10'000);
    }
    EXPECT_EQ(capture.text(), "");
}

TEST_F(CaptureOpening, MissingDeviceCausesAnErrorThatListsExistingOnes)
{
    testing::Pipeline pipeline("jkvmaudiosrc device=nosuch on-device-lost=error ! fakesink");
    EXPECT_EQ(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = pipeline.wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GST_RESOURCE_ERROR_NOT_FOUND);
    EXPECT_EQ(error.text, "Could not open audio device \"nosuch\": no such device.");
    EXPECT_NE(error.debug.find("jkvmtest"), std::string::npos) << error.debug;
}

TEST_F(CaptureOpening, MissingDeviceCausesEosIfConfigured)
{
    testing::Pipeline pipeline("jkvmaudiosrc device=nosuch on-device-lost=eos ! fakesink");
    pipeline.play();
    pipeline.wait_for_eos();
}

struct BadDevice {
    const char *open_errno;
    gint code;
};
class CaptureBadDevice : public CaptureTest, public ::testing::WithParamInterface<BadDevice> {};

TEST_P(CaptureBadDevice, CausesOneErrorThatNamesTheDevice)
{
    pcm_.set_open_errno(GetParam().open_errno);
    make("on-device-lost=error");
    EXPECT_EQ(pipeline_->set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = pipeline_->wait_for_error();
    EXPECT_EQ(error.domain, GST_RESOURCE_ERROR);
    EXPECT_EQ(error.code, GetParam().code);
    EXPECT_NE(error.text.find(pcm_.device()), std::string::npos) << error.text;
}

INSTANTIATE_TEST_SUITE_P(Open, CaptureBadDevice,
                         ::testing::Values(BadDevice{"ENODEV", GST_RESOURCE_ERROR_NOT_FOUND},
                                           BadDevice{"ENOENT", GST_RESOURCE_ERROR_NOT_FOUND},
                                           BadDevice{"EBUSY", GST_RESOURCE_ERROR_BUSY},
                                           BadDevice{"EACCES", GST_RESOURCE_ERROR_NOT_AUTHORIZED}),
                         [](const auto &info) { return std::string(info.param.open_errno); });

} // namespace
} // namespace jkvm
