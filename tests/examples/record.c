/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Example in C: records the audio of a socket into an Ogg file, and requests another quality from
 * the encoder meanwhile.
 *
 *     record SOCKET FILE SECONDS [low|medium|high|ultra]
 */
#include <gst/gst.h>
#include <stdlib.h>

struct recording {
    GMainLoop *loop;
    GstElement *pipeline;
    guint seconds;
    gboolean has_begun;
    int status;
};

/* Ends the file in order: oggmux writes its last page when the end of the stream reaches it. */
static gboolean end_stream(gpointer data)
{
    struct recording *recording = data;
    gst_element_send_event(recording->pipeline, gst_event_new_eos());
    return G_SOURCE_REMOVE;
}

static void on_element_message(const GstStructure *structure, struct recording *recording)
{
    const char *reason = gst_structure_get_string(structure, "reason");
    if (!gst_structure_has_name(structure, "jkvm-link"))
        return;
    g_print("link: %s\n", reason);
    if (g_strcmp0(reason, "connected") == 0 && !recording->has_begun) {
        recording->has_begun = TRUE;
        g_timeout_add_seconds(recording->seconds, end_stream, recording);
    }
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    struct recording *recording = data;
    GError *error = NULL;
    (void)bus;
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ELEMENT:
        on_element_message(gst_message_get_structure(message), recording);
        break;
    case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, NULL);
        g_printerr("record: %s\n", error->message);
        g_error_free(error);
        recording->status = EXIT_FAILURE;
        g_main_loop_quit(recording->loop);
        break;
    case GST_MESSAGE_EOS:
        g_main_loop_quit(recording->loop);
        break;
    default:
        break;
    }
    return G_SOURCE_CONTINUE;
}

/* Prints the numbers of received and lost frames. */
static void print_statistics(GstElement *source)
{
    GstStructure *stats = NULL;
    guint64 frames = 0, lost = 0;
    g_object_get(source, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "frames", &frames);
    gst_structure_get_uint64(stats, "lost", &lost);
    g_print("frames: %" G_GUINT64_FORMAT ", lost: %" G_GUINT64_FORMAT "\n", frames, lost);
    gst_structure_free(stats);
}

int main(int argc, char **argv)
{
    struct recording recording = {.status = EXIT_SUCCESS};
    GError *error = NULL;
    GstElement *pipeline, *source, *sink;
    GstBus *bus;

    gst_init(&argc, &argv);
    if (argc < 4 || atoi(argv[3]) <= 0) {
        g_printerr("usage: record SOCKET FILE SECONDS [low|medium|high|ultra]\n");
        return 2;
    }
    pipeline = gst_parse_launch("jkvmipcsrc name=source ! oggmux ! filesink name=sink", &error);
    if (pipeline == NULL) {
        g_printerr("record: %s\n", error->message);
        g_error_free(error);
        return EXIT_FAILURE;
    }
    source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
    sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_object_set(source, "socket-path", argv[1], NULL);
    g_object_set(sink, "location", argv[2], NULL);
    if (argc > 4) {
        /* The request is kept until the connection ends. Other receivers may have requests, too:
         * the encoder uses the lowest. Dialect v1 has no requests, hence v2. */
        gst_util_set_object_arg(G_OBJECT(source), "dialect", "v2");
        gst_util_set_object_arg(G_OBJECT(source), "quality", argv[4]);
    }

    recording.loop = g_main_loop_new(NULL, FALSE);
    recording.pipeline = pipeline;
    recording.seconds = (guint)atoi(argv[3]);
    bus = gst_element_get_bus(pipeline);
    gst_bus_add_watch(bus, on_message, &recording);
    /* Works without a server, too: the element connects as soon as there is one. */
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_main_loop_run(recording.loop);
    print_statistics(source);

    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_bus_remove_watch(bus);
    gst_object_unref(bus);
    gst_object_unref(source);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
    g_main_loop_unref(recording.loop);
    return recording.status;
}
