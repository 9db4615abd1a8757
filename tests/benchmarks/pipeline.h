// SPDX-License-Identifier: LGPL-2.1-or-later
// A pipeline for benchmark programs.
#pragma once

#include "common/gst_ref.h"

#include <gst/gst.h>

#include <stdexcept>
#include <string>

namespace jkvm::benchmark {

/// Owns the pipeline of a launch line; the destructor stops it. Failures throw.
class Pipeline {
public:
    explicit Pipeline(const std::string &description)
    {
        GError *error = nullptr;
        auto *made = gst_parse_launch_full(description.c_str(), nullptr,
                                           GST_PARSE_FLAG_FATAL_ERRORS, &error);
        if (error != nullptr) {
            const std::string text = error->message;
            g_clear_error(&error);
            throw std::runtime_error(description + ": " + text);
        }
        pipeline_ = GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(made)));
    }
    Pipeline(const Pipeline &) = delete;
    Pipeline &operator=(const Pipeline &) = delete;
    ~Pipeline() { gst_element_set_state(get(), GST_STATE_NULL); }

    [[nodiscard]] GstElement *get() const { return pipeline_.get(); }
    [[nodiscard]] GstRef<GstElement> element(const char *name) const
    {
        return GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(get()), name));
    }
    /// Calls `callback` for each buffer that passes the pad of the element.
    void watch(const char *name, const char *pad_name, GstPadProbeCallback callback,
               gpointer data) const
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(element(name).get(), pad_name));
        gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, callback, data, nullptr);
    }
    void play() const
    {
        if (gst_element_set_state(get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
            throw std::runtime_error("the pipeline failed to start");
    }

private:
    GstRef<GstElement> pipeline_;
};

} // namespace jkvm::benchmark
