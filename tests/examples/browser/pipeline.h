// SPDX-License-Identifier: LGPL-2.1-or-later
// A running pipeline, in which errors of some bins are isolated.
#pragma once

#include "glib_types.h"

#include <map>
#include <memory>
#include <string>

namespace jkvm::browser {

/// Main thread only.
class Pipeline {
public:
    /// Returns null, after a message on standard error, if the pipeline cannot be started.
    /// `on_ended` is called when it has failed or the stream has ended.
    static std::unique_ptr<Pipeline> start(const std::string &description, Task on_ended);
    Pipeline(const Pipeline &) = delete;
    Pipeline &operator=(const Pipeline &) = delete;
    ~Pipeline();

    [[nodiscard]] GstElement *get() const { return pipeline_.get(); }
    [[nodiscard]] ObjectRef<GstElement> element(const char *name) const;
    /// Adds a bin. An error of one of its elements does not end the pipeline but calls `on_failed`.
    void add(GstElement *bin, Task on_failed);
    /// Removes the bin and shuts it down.
    void remove(GstElement *bin);

private:
    Pipeline(GstElement *pipeline, Task on_ended);
    void on_message(GstMessage *message);
    void on_error(GstMessage *message);

    ObjectRef<GstElement> pipeline_;
    Task on_ended_;
    std::map<GstElement *, Task> on_failed_; // by bin
    guint bus_watch_ = 0;
};

} // namespace jkvm::browser
