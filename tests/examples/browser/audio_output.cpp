// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_output.h"

namespace jkvm::browser {

namespace {

void print_issue(GstMessage *message)
{
    GError *error = nullptr;
    gchar *debug = nullptr;
    const bool is_error = GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR;
    if (is_error)
        gst_message_parse_error(message, &error, &debug);
    else
        gst_message_parse_warning(message, &error, &debug);
    const ErrorPtr owned_error(error);
    const Text owned_debug(debug);
    g_printerr("%s: %s\n", is_error ? "Error" : "Warning", error->message);
}

/// A branch that is being removed. Kept until its pad of the tee is idle.
struct Removal {
    ObjectRef<GstElement> pipeline;
    ObjectRef<GstElement> tee;
    ObjectRef<GstElement> bin;
    ObjectRef<GstPad> tee_pad;

    void finish() const
    {
        gst_element_release_request_pad(tee.get(), tee_pad.get());
        gst_element_set_locked_state(bin.get(), TRUE);
        gst_element_set_state(bin.get(), GST_STATE_NULL);
        gst_bin_remove(GST_BIN(pipeline.get()), bin.get());
    }
};

} // namespace

std::unique_ptr<AudioOutput> AudioOutput::start(const std::string &source, Task on_ended)
{
    // An ALLOCATION query that the tee forwards would stall all viewers while one is joining.
    const auto description =
        source + " ! identity drop-allocation=true ! tee name=viewers allow-not-linked=true";
    GError *error = nullptr;
    auto *pipeline = gst_parse_launch(description.c_str(), &error);
    if (error != nullptr) {
        const ErrorPtr owned(error);
        g_printerr("Could not create the pipeline: %s\n", error->message);
        if (pipeline != nullptr)
            gst_object_unref(pipeline);
        return nullptr;
    }
    std::unique_ptr<AudioOutput> output(new AudioOutput(pipeline, std::move(on_ended)));
    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        const ObjectRef<GstBus> bus(gst_element_get_bus(pipeline));
        if (auto *message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR)) {
            print_issue(message);
            gst_message_unref(message);
        }
        return nullptr;
    }
    return output;
}

AudioOutput::AudioOutput(GstElement *pipeline, Task on_ended)
    : pipeline_(static_cast<GstElement *>(gst_object_ref_sink(pipeline))),
      tee_(gst_bin_get_by_name(GST_BIN(pipeline), "viewers")), on_ended_(std::move(on_ended))
{
    const ObjectRef<GstBus> bus(gst_element_get_bus(pipeline));
    bus_watch_ = gst_bus_add_watch(
        bus.get(),
        [](GstBus *, GstMessage *message, gpointer self) -> gboolean {
            static_cast<AudioOutput *>(self)->on_message(message);
            return G_SOURCE_CONTINUE;
        },
        this);
}

AudioOutput::~AudioOutput()
{
    g_source_remove(bus_watch_);
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
}

void AudioOutput::on_message(GstMessage *message)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
        print_issue(message);
        on_ended_();
        break;
    case GST_MESSAGE_WARNING:
        print_issue(message);
        break;
    case GST_MESSAGE_EOS:
        on_ended_();
        break;
    case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
        break;
    default:
        break;
    }
}

void AudioOutput::add(const Viewer &viewer)
{
    auto *bin = viewer.bin();
    gst_bin_add(GST_BIN(pipeline_.get()), bin);
    gst_element_sync_state_with_parent(bin);
    const ObjectRef<GstPad> from(gst_element_request_pad_simple(tee_.get(), "src_%u"));
    const ObjectRef<GstPad> to(gst_element_get_static_pad(bin, "sink"));
    gst_pad_link(from.get(), to.get());
}

void AudioOutput::remove(const Viewer &viewer)
{
    const ObjectRef<GstPad> sink(gst_element_get_static_pad(viewer.bin(), "sink"));
    ObjectRef<GstPad> tee_pad(gst_pad_get_peer(sink.get()));
    if (!tee_pad)
        return;
    auto *const pad = tee_pad.get();
    auto *removal = new std::shared_ptr<Removal>(new Removal{
        share(pipeline_.get()), share(tee_.get()), share(viewer.bin()), std::move(tee_pad)});
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_IDLE,
        [](GstPad *idle_pad, GstPadProbeInfo *, gpointer data) {
            const ObjectRef<GstPad> peer(gst_pad_get_peer(idle_pad));
            if (peer)
                gst_pad_unlink(idle_pad, peer.get());
            run_in_main_loop(
                [kept = *static_cast<std::shared_ptr<Removal> *>(data)] { kept->finish(); });
            return GST_PAD_PROBE_REMOVE;
        },
        removal, [](gpointer data) { delete static_cast<std::shared_ptr<Removal> *>(data); });
}

} // namespace jkvm::browser
