// SPDX-License-Identifier: LGPL-2.1-or-later
// The pipeline: one source of Opus packets for all viewers.
#pragma once

#include "viewer.h"

#include <memory>
#include <string>
#include <vector>

namespace jkvm::browser {

/// Main thread only.
class AudioOutput {
public:
    /// `source`: a launch line that ends with Opus packets. Returns null, after a message on
    /// standard error, if it cannot be started. `on_ended` is called when the pipeline has failed
    /// or the stream has ended.
    static std::unique_ptr<AudioOutput> start(const std::string &source, Task on_ended);
    AudioOutput(const AudioOutput &) = delete;
    AudioOutput &operator=(const AudioOutput &) = delete;
    ~AudioOutput();

    /// Connects the viewer to the stream.
    void add(const Viewer &viewer);
    /// Disconnects the viewer without disturbing the streams of the others.
    void remove(const Viewer &viewer);

private:
    AudioOutput(GstElement *pipeline, Task on_ended);
    void on_message(GstMessage *message);

    ObjectRef<GstElement> pipeline_;
    ObjectRef<GstElement> tee_;
    Task on_ended_;
    guint bus_watch_ = 0;
};

} // namespace jkvm::browser
