// SPDX-License-Identifier: LGPL-2.1-or-later
// Test fixture: jkvmaudiosrc with an appsink that keeps all buffers.
#pragma once

#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace jkvm {

/// A buffer pulled from the sink.
struct Pulled {
    GstRef<GstSample> sample;

    [[nodiscard]] GstBuffer *buffer() const { return gst_sample_get_buffer(sample.get()); }
    [[nodiscard]] GstClockTime time() const { return GST_BUFFER_PTS(buffer()); }
    [[nodiscard]] GstClockTime duration() const { return GST_BUFFER_DURATION(buffer()); }
    [[nodiscard]] GstClockTime end() const { return time() + duration(); }
    [[nodiscard]] bool is_discont() const { return GST_BUFFER_IS_DISCONT(buffer()); }
    [[nodiscard]] std::vector<std::uint8_t> bytes() const
    {
        std::vector<std::uint8_t> bytes(gst_buffer_get_size(buffer()));
        gst_buffer_extract(buffer(), 0, bytes.data(), bytes.size());
        return bytes;
    }
    /// Samples of a raw buffer.
    [[nodiscard]] std::vector<std::int16_t> samples() const
    {
        std::vector<std::int16_t> samples(gst_buffer_get_size(buffer()) / 2);
        gst_buffer_extract(buffer(), 0, samples.data(), 2 * samples.size());
        return samples;
    }
    [[nodiscard]] bool is_silence() const
    {
        const auto all = samples();
        return std::ranges::all_of(all, [](auto s) { return s == 0; });
    }
    [[nodiscard]] int int_of_caps(const char *field) const
    {
        int value = -1;
        gst_structure_get_int(gst_caps_get_structure(gst_sample_get_caps(sample.get()), 0), field,
                              &value);
        return value;
    }
};

class CaptureTest : public ::testing::Test {
protected:
    static constexpr GstClockTime look_ahead = 6500 * GST_USECOND;

    /// The output is Opus, or raw 16-bit samples with `as_samples`.
    void open(const std::string &properties = {}, bool as_samples = false)
    {
        make(properties, as_samples);
        pipeline_->play();
    }
    void open_samples(const std::string &properties = {}) { open(properties, true); }
    void make(const std::string &properties, bool as_samples = false)
    {
        pipeline_ = std::make_unique<testing::Pipeline>(
            "jkvmaudiosrc name=src device=" + pcm_.device() + " " + properties + " ! " +
            (as_samples ? "audio/x-raw" : "audio/x-opus") +
            " ! appsink name=sink sync=false wait-on-eos=false");
        src_ = pipeline_->element("src");
    }

    [[nodiscard]] GstElement *src() const { return src_; }
    template <typename... Args>
    void set(const Args &...args)
    {
        g_object_set(src(), args..., nullptr);
    }
    Pulled pull()
    {
        Pulled pulled{GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(
            GST_APP_SINK(pipeline_->element("sink")), 20 * GST_SECOND))};
        EXPECT_TRUE(pulled.sample) << "no buffer arrived";
        return pulled;
    }
    /// Pulls the next buffer, which must continue the last one pulled with this function.
    Pulled follow()
    {
        auto pulled = pull();
        if (GST_CLOCK_TIME_IS_VALID(end_)) {
            EXPECT_EQ(pulled.time(), end_);
            EXPECT_FALSE(pulled.is_discont());
        }
        end_ = pulled.end();
        return pulled;
    }
    /// Follows until a buffer meets the condition, and returns it.
    template <typename Condition>
    Pulled follow_until(Condition condition)
    {
        const auto begin = g_get_monotonic_time();
        for (;;) {
            auto pulled = follow();
            if (condition(pulled) || HasFatalFailure())
                return pulled;
            if (g_get_monotonic_time() - begin > 20 * G_TIME_SPAN_SECOND) {
                ADD_FAILURE() << "no buffer met the condition";
                return pulled;
            }
        }
    }
    [[nodiscard]] guint64 stat(const char *field) const { return testing::stat(src(), field); }
    [[nodiscard]] std::string text_stat(const char *field) const
    {
        const auto stats = testing::stats_of(src());
        const char *text = gst_structure_get_string(stats.get(), field);
        return text != nullptr ? text : "no such field";
    }
    [[nodiscard]] double double_stat(const char *field) const
    {
        double value = -1;
        EXPECT_TRUE(gst_structure_get_double(testing::stats_of(src()).get(), field, &value))
            << field;
        return value;
    }
    [[nodiscard]] guint64 recoveries_from(const char *reason) const
    {
        const auto stats = testing::stats_of(src());
        GstStructure *recoveries = nullptr;
        guint64 count = 0;
        EXPECT_TRUE(gst_structure_get(stats.get(), "recoveries-by-reason", GST_TYPE_STRUCTURE,
                                      &recoveries, nullptr));
        EXPECT_TRUE(gst_structure_get_uint64(recoveries, reason, &count)) << reason;
        gst_structure_free(recoveries);
        return count;
    }
    GstClockTime latency()
    {
        const auto query = GstRef<GstQuery>::adopt(gst_query_new_latency());
        EXPECT_TRUE(gst_element_query(src(), query.get()));
        GstClockTime minimum = 0;
        gst_query_parse_latency(query.get(), nullptr, &minimum, nullptr);
        return minimum;
    }

    testing::TestPcm pcm_;
    std::unique_ptr<testing::Pipeline> pipeline_;
    GstElement *src_ = nullptr;              // the pipeline's
    GstClockTime end_ = GST_CLOCK_TIME_NONE; // of the last buffer that follow() returned
};

} // namespace jkvm
