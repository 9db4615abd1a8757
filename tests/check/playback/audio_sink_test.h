// SPDX-License-Identifier: LGPL-2.1-or-later
// A pipeline of appsrc and jkvmaudiosink on a test PCM that records the played samples. It runs in
// real time, and a machine that is busy with other work may interrupt it for longer than the ring
// holds; the tests of the engine judge each sample in simulated time.
#pragma once

#include "playback/triangle.h"
#include "support/gst_test.h"

#include "core/base/time.h"
#include "core/base/wait_control.h"

#include <gst/app/gstappsrc.h>
#include <gst/base/gstbasesink.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace jkvm {

class AudioSinkTest : public ::testing::Test {
protected:
    static constexpr auto packet = std::chrono::milliseconds(20);
    static constexpr nanoseconds longest_span = std::chrono::microseconds(500);
    /// The pipeline's latency. Packets are pushed as soon as they are captured, so this is the
    /// reserve against delays of a busy machine.
    static constexpr auto latency = std::chrono::milliseconds(150);

    AudioSinkTest() { pcm_.record_playback(); }

    /// A live pipeline with raw audio, in PLAYING.
    void start(const std::string &properties = {})
    {
        make(properties);
        pipeline_->play();
    }
    void make(const std::string &properties)
    {
        pipeline_.emplace("appsrc name=src is-live=true format=time min-latency=" +
                          std::to_string(nanoseconds(latency).count()) +
                          " ! jkvmaudiosink name=sink device=" + pcm_.device() + " " + properties);
        set_caps("audio/x-raw, format=S16LE, rate=48000, channels=1, layout=interleaved");
    }
    void set_caps(const char *text)
    {
        auto *caps = gst_caps_from_string(text);
        gst_app_src_set_caps(source(), caps);
        gst_caps_unref(caps);
    }
    GstAppSrc *source() { return GST_APP_SRC(pipeline_->element("src")); }
    GstElement *sink() { return pipeline_->element("sink"); }

    /// CLOCK_MONOTONIC at running time 0, which is the time of the triangle's first frame.
    nanoseconds base() { return nanoseconds(gst_element_get_base_time(pipeline_->get())); }
    /// When the triangle's first frame is due.
    nanoseconds due()
    {
        return base() + nanoseconds(gst_base_sink_get_latency(GST_BASE_SINK(sink())));
    }
    static nanoseconds now() { return monotonic_now().time_since_epoch(); }

    void push_packet(nanoseconds time)
    {
        const auto frames = testing::triangle(
            static_cast<std::size_t>(time / std::chrono::milliseconds(1) * 48), 960);
        auto *buffer = gst_buffer_new_memdup(frames.data(), frames.size() * 2);
        GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(time.count());
        GST_BUFFER_DURATION(buffer) = 20 * GST_MSECOND;
        ASSERT_EQ(gst_app_src_push_buffer(source(), buffer), GST_FLOW_OK);
    }
    /// Pushes the triangle for so long, each packet when its first frame is captured.
    void play(nanoseconds time)
    {
        for (const auto end = pushed_ + time; pushed_ < end; pushed_ += packet) {
            push_packet(pushed_);
            pause_.sleep_until(MonotonicTime(base() + pushed_));
        }
    }
    /// Lets everything be played, and ends the recording.
    testing::PlayedAudio stop()
    {
        gst_app_src_end_of_stream(source());
        pipeline_->wait_for_eos();
        pipeline_->set_state(GST_STATE_NULL);
        return testing::PlayedAudio(pcm_);
    }
    /// Playout errors from then on. At the end of the stream, the resampler falls to 0.
    testing::PlayoutErrors measure(const testing::PlayedAudio &played, nanoseconds due,
                                   nanoseconds begin) const
    {
        return testing::measure_playout(played, due, begin,
                                        due + pushed_ - std::chrono::milliseconds(5));
    }
    /// Plays until the device has played, and another second.
    void play_on_device()
    {
        for (const auto limit = pushed_ + std::chrono::seconds(20); pushed_ < limit;) {
            play(packet);
            if (text_stat("state") == "run")
                return play(std::chrono::seconds(1));
        }
        FAIL() << "the device is not running";
    }
    [[nodiscard]] std::string text_stat(const char *field)
    {
        const auto stats = testing::stats_of(sink());
        const char *text = gst_structure_get_string(stats.get(), field);
        return text != nullptr ? text : "no such field";
    }
    /// Corrections of the playout error: of the first packet, of silence at the end, and those that
    /// underruns and dropped packets on a busy machine explain.
    [[nodiscard]] guint64 expected_realignments()
    {
        return 2 + 2 * testing::stat(sink(), "underruns") + testing::stat(sink(), "dropped-late");
    }
    void wait_for_device(const char *reason)
    {
        (void)pipeline_->wait_for_element_message("jkvm-device", reason);
    }

    testing::TestPcm pcm_;
    std::optional<testing::Pipeline> pipeline_;
    nanoseconds pushed_{0};
    WaitControl pause_; // never set
};

} // namespace jkvm
