// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipeline.h"

#include <algorithm>

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

} // namespace

std::unique_ptr<Pipeline> Pipeline::start(const std::string &description, Task on_ended)
{
    GError *error = nullptr;
    auto *created = gst_parse_launch(description.c_str(), &error);
    if (error != nullptr) {
        const ErrorPtr owned(error);
        g_printerr("Could not create the pipeline: %s\n", error->message);
        if (created != nullptr)
            gst_object_unref(created);
        return nullptr;
    }
    std::unique_ptr<Pipeline> pipeline(new Pipeline(created, std::move(on_ended)));
    if (gst_element_set_state(created, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        const ObjectRef<GstBus> bus(gst_element_get_bus(created));
        if (auto *message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR)) {
            print_issue(message);
            gst_message_unref(message);
        }
        return nullptr;
    }
    return pipeline;
}

Pipeline::Pipeline(GstElement *pipeline, Task on_ended)
    : pipeline_(static_cast<GstElement *>(gst_object_ref_sink(pipeline))),
      on_ended_(std::move(on_ended))
{
    const ObjectRef<GstBus> bus(gst_element_get_bus(pipeline));
    bus_watch_ = gst_bus_add_watch(
        bus.get(),
        [](GstBus *, GstMessage *message, gpointer self) -> gboolean {
            static_cast<Pipeline *>(self)->on_message(message);
            return G_SOURCE_CONTINUE;
        },
        this);
}

Pipeline::~Pipeline()
{
    g_source_remove(bus_watch_);
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
}

ObjectRef<GstElement> Pipeline::element(const char *name) const
{
    return ObjectRef<GstElement>(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
}

void Pipeline::add(GstElement *bin, Task on_failed)
{
    gst_bin_add(GST_BIN(pipeline_.get()), bin);
    on_failed_[bin] = std::move(on_failed);
}

void Pipeline::remove(GstElement *bin)
{
    on_failed_.erase(bin);
    gst_element_set_locked_state(bin, TRUE);
    gst_element_set_state(bin, GST_STATE_NULL);
    gst_bin_remove(GST_BIN(pipeline_.get()), bin);
}

void Pipeline::on_error(GstMessage *message)
{
    print_issue(message);
    const auto failed = std::ranges::find_if(on_failed_, [message](const auto &entry) {
        return gst_object_has_as_ancestor(GST_MESSAGE_SRC(message), GST_OBJECT(entry.first)) !=
               FALSE;
    });
    const auto task = failed != on_failed_.end() ? failed->second : on_ended_;
    task(); // it may remove the bin
}

void Pipeline::on_message(GstMessage *message)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
        on_error(message);
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

} // namespace jkvm::browser
