// SPDX-License-Identifier: LGPL-2.1-or-later
// Fixture of tests of jkvmsupervisedsrc with real workers. The environment variable JKVM_WORKER is
// the path of the worker program.
#pragma once

#include "support/gst_test.h"
#include "support/raw_socket.h"

#include "core/base/guarded.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace jkvm::testing {

inline constexpr const char *live_source =
    "audiotestsrc is-live=true samplesperbuffer=960 ! opusenc";
inline constexpr const char *immediate_restarts = "restart-delay=0 max-restart-delay=0";

inline std::string text_field(const GstRef<GstMessage> &message, const char *field)
{
    const auto *structure = gst_message_get_structure(message.get());
    const char *text = gst_structure_get_string(structure, field);
    return text != nullptr ? text : "";
}

inline int number_field(const GstRef<GstMessage> &message, const char *field)
{
    gint number = -1;
    EXPECT_TRUE(gst_structure_get_int(gst_message_get_structure(message.get()), field, &number));
    return number;
}

/// `jkvmsupervisedsrc name=s launch="..." ! appsink`
class SupervisedSource : public ::testing::Test {
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
            static_cast<GstClockTime>(std::chrono::nanoseconds(wait_timeout).count());
        return GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink_, timeout));
    }
    void expect_audio(int frames)
    {
        for (int i = 0; i < frames; ++i)
            ASSERT_TRUE(pull()) << "no audio";
    }
    GstRef<GstMessage> wait_for(const char *reason)
    {
        return pipeline_->wait_for_element_message("jkvm-child", reason);
    }
    pid_t wait_for_start() { return number_field(wait_for("started"), "pid"); }

    pid_t worker()
    {
        gint pid = 0;
        gst_structure_get_int(stats_of(element_).get(), "pid", &pid);
        return pid;
    }

    std::optional<Pipeline> pipeline_;
    GstElement *element_ = nullptr;
    GstAppSink *sink_ = nullptr;
};

/// A buffer or GAP event that passed a pad.
struct Passed {
    GstClockTime start;
    GstClockTime duration;
    bool is_gap;
    bool is_discontinuity;
};
using PassedList = Guarded<std::vector<Passed>>;

/// A pad probe that appends to the PassedList `list`.
inline GstPadProbeReturn note_passed(GstPad *, GstPadProbeInfo *info, gpointer list)
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

} // namespace jkvm::testing
