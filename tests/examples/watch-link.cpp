// SPDX-License-Identifier: LGPL-2.1-or-later
// Example of an application that embeds jkvm: plays the received audio and prints the state and the
// statistics of the connection.
//
//     watch-link SOCKET-PATH
#include <gst/gst.h>

#include <memory>
#include <string>

namespace {

struct Unref {
    void operator()(gpointer object) const { gst_object_unref(object); }
};

/// Prints element messages and errors. Returns false once the pipeline has ended.
bool print(GstMessage *message)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ELEMENT: {
        // jkvm-link on each change of the connection; application/x-jkvm-ipcsrc-stats every second.
        gchar *text = gst_structure_to_string(gst_message_get_structure(message));
        g_print("%s\n", text);
        g_free(text);
        return true;
    }
    case GST_MESSAGE_ERROR: {
        GError *error = nullptr;
        gchar *debug = nullptr;
        gst_message_parse_error(message, &error, &debug);
        g_printerr("%s\n%s\n", error->message, debug);
        g_error_free(error);
        g_free(debug);
        return false;
    }
    case GST_MESSAGE_EOS:
        return false;
    default:
        return true;
    }
}

} // namespace

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    if (argc != 2) {
        g_printerr("usage: %s SOCKET-PATH\n", argv[0]);
        return 2;
    }
    GError *error = nullptr;
    const std::unique_ptr<GstElement, Unref> pipeline(gst_parse_launch(
        "jkvmipcsrc name=source stats-interval=1000 ! jkvmadaptivequeue ! opusdec plc=true ! "
        "audioconvert ! autoaudiosink",
        &error));
    if (error != nullptr) {
        g_printerr("%s\n", error->message);
        g_error_free(error);
        return 1;
    }
    const std::unique_ptr<GstElement, Unref> source(
        gst_bin_get_by_name(GST_BIN(pipeline.get()), "source"));
    g_object_set(source.get(), "socket-path", argv[1], nullptr);
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);

    const std::unique_ptr<GstBus, Unref> bus(gst_element_get_bus(pipeline.get()));
    bool is_running = true;
    while (is_running) {
        GstMessage *message = gst_bus_timed_pop(bus.get(), GST_CLOCK_TIME_NONE);
        is_running = print(message);
        gst_message_unref(message);
    }
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    return 0;
}
