// SPDX-License-Identifier: LGPL-2.1-or-later
// Plays a launch line and measures the process over FRAMES buffers that reach its element called
// "sink", after the first SETTLE ones:
//
//   play-chain SETTLE FRAMES LAUNCH-LINE [stay]
//
// Prints the results of the measured window as JSON. The process exits at the last frame without
// stopping the pipeline, because that would be measured and its cost varies. With "stay" it keeps
// playing until it is killed.
#include "benchmarks/audio/measured_window.h"
#include "common/gst_ref.h"

#include <gst/gst.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace {

using jkvm::GstRef;
using jkvm::benchmark::MeasuredWindow;

struct Measurement {
    MeasuredWindow window;
    bool stays;
    GstPadChainFunction chain; // original function of the sink's pad
};

GstFlowReturn measure(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    auto &[window, stays, chain] = *static_cast<Measurement *>(gst_pad_get_element_private(pad));
    if (!window.count()) {
        std::puts(window.report().c_str());
        std::fflush(stdout);
        if (!stays)
            std::_Exit(0);
        GST_PAD_CHAINFUNC(pad) = chain;
    }
    return chain(pad, parent, buffer);
}

/// Replaces the pad's chain function. A pad probe would cost more instructions than the rest of the
/// pad.
void measure_at(GstPad *pad, Measurement &measurement)
{
    gst_pad_set_element_private(pad, &measurement);
    measurement.chain = std::exchange(GST_PAD_CHAINFUNC(pad), measure);
}

/// Exits on an error message, in the thread that posts it: a thread that waits for messages would
/// add wake-ups.
void exit_on_error(GstElement *pipeline)
{
    const auto bus = GstRef<GstBus>::adopt(gst_element_get_bus(pipeline));
    gst_bus_set_sync_handler(
        bus.get(),
        [](GstBus *, GstMessage *message, gpointer) {
            if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
                GError *error = nullptr;
                gst_message_parse_error(message, &error, nullptr);
                std::fprintf(stderr, "play-chain: %s: %s\n", GST_MESSAGE_SRC_NAME(message),
                             error->message);
                std::_Exit(1);
            }
            gst_message_unref(message);
            return GST_BUS_DROP;
        },
        nullptr, nullptr);
}

} // namespace

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    const bool stays = argc == 5 && std::strcmp(argv[4], "stay") == 0;
    if (argc != (stays ? 5 : 4)) {
        std::fputs("usage: play-chain SETTLE FRAMES LAUNCH-LINE [stay]\n", stderr);
        return 2;
    }
    GError *error = nullptr;
    auto *const pipeline =
        gst_parse_launch_full(argv[3], nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    if (pipeline == nullptr) {
        std::fprintf(stderr, "play-chain: %s\n", error->message);
        return 2;
    }
    const auto sink = GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(sink.get(), "sink"));
    Measurement measurement{
        {std::strtoull(argv[1], nullptr, 10), std::strtoull(argv[2], nullptr, 10)}, stays};
    measure_at(pad.get(), measurement);
    exit_on_error(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (;;)
        ::pause();
}
