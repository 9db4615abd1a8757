// SPDX-License-Identifier: LGPL-2.1-or-later
// sink-cost: plays Opus packets of 20 ms, stereo, in real time through a chain of elements and
// measures the process:
//
//   sink-cost SETTLE PACKETS CHAIN
//
// Prints the results of the measured window (measured_window.h), which begins after the first
// SETTLE packets. The sink is called "sink". The process ends at the last packet without stopping
// the chain, because the costs of that vary and would count.
#include "benchmarks/audio/measured_window.h"
#include "benchmarks/playback/opus_packets.h"
#include "common/gst_ref.h"

#include <gst/gst.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

using jkvm::GstRef;
using jkvm::benchmark::MeasuredWindow;

constexpr GstClockTime packet_time = 20 * GST_MSECOND;
constexpr GstClockTime latency = 100 * GST_MSECOND;

/// Answers queries for the latency, as a live source does.
gboolean answer_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_latency(query, TRUE, latency, GST_CLOCK_TIME_NONE);
    return TRUE;
}

/// A chain in PLAYING on the system clock, and the pad that pushes into it.
class SinkRun {
public:
    explicit SinkRun(const char *chain)
    {
        GError *error = nullptr;
        auto *const made = gst_parse_bin_from_description(chain, TRUE, &error);
        if (made == nullptr) {
            std::fprintf(stderr, "sink-cost: %s\n", error->message);
            std::exit(2); // NOLINT(concurrency-mt-unsafe): no other thread yet
        }
        chain_ = GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(made)));
        const auto clock = GstRef<GstClock>::adopt(gst_system_clock_obtain());
        gst_element_set_clock(chain_.get(), clock.get());
        const auto in = GstRef<GstPad>::adopt(gst_element_get_static_pad(chain_.get(), "sink"));
        gst_pad_link(begin_, in.get());
        gst_pad_set_query_function(begin_, answer_query);
        gst_pad_set_active(begin_, TRUE);
        gst_element_set_state(chain_.get(), GST_STATE_PLAYING);
        gst_bin_recalculate_latency(GST_BIN(chain_.get()));
        start_ = gst_clock_get_time(clock.get());
        gst_element_set_base_time(chain_.get(), start_);
        gst_pad_push_event(begin_, gst_event_new_stream_start("stream"));
        const auto caps = GstRef<GstCaps>::adopt(
            gst_caps_from_string("audio/x-opus,rate=48000,channels=2,channel-mapping-family=0"));
        gst_pad_push_event(begin_, gst_event_new_caps(caps.get()));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        gst_pad_push_event(begin_, gst_event_new_segment(&segment));
    }

    /// Pushes a packet when its first sample is captured.
    void push(const std::vector<unsigned char> &packet)
    {
        auto *const buffer = gst_buffer_new_memdup(packet.data(), packet.size());
        GST_BUFFER_PTS(buffer) = pushed_ * packet_time;
        GST_BUFFER_DURATION(buffer) = packet_time;
        timespec when{};
        GST_TIME_TO_TIMESPEC(start_ + pushed_ * packet_time, when);
        ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
        ++pushed_;
        if (gst_pad_push(begin_, buffer) != GST_FLOW_OK) {
            std::fputs("sink-cost: the chain failed\n", stderr);
            std::_Exit(1);
        }
    }

    /// Ends the process if jkvmaudiosink has concealed audio, whose costs would count.
    void expect_on_time() const
    {
        const auto sink =
            GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(chain_.get()), "sink"));
        GstStructure *stats = nullptr;
        guint64 concealed = 0;
        if (g_object_class_find_property(G_OBJECT_GET_CLASS(sink.get()), "stats-interval") ==
            nullptr)
            return;
        g_object_get(sink.get(), "stats", &stats, nullptr);
        gst_structure_get_uint64(stats, "concealed", &concealed);
        gst_structure_free(stats);
        if (concealed == 0)
            return;
        std::fputs("sink-cost: packets were late\n", stderr);
        std::_Exit(1);
    }

private:
    GstRef<GstElement> chain_;
    GstPad *const begin_ = gst_pad_new("begin", GST_PAD_SRC); // never freed
    GstClockTime start_ = 0;
    guint64 pushed_ = 0;
};

} // namespace

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    if (argc != 4) {
        std::fputs("usage: sink-cost SETTLE PACKETS CHAIN\n", stderr);
        return 2;
    }
    const auto packets = jkvm::benchmark::make_opus_packets();
    MeasuredWindow window(std::strtoull(argv[1], nullptr, 10), std::strtoull(argv[2], nullptr, 10));
    static SinkRun run(argv[3]);
    for (std::size_t i = 0; window.count(); ++i)
        run.push(packets[i % packets.size()]);
    run.expect_on_time();
    std::puts(window.report().c_str());
    std::fflush(stdout);
    std::_Exit(0);
}
