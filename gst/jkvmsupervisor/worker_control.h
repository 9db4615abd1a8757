// SPDX-License-Identifier: LGPL-2.1-or-later
// The worker's end of the control connection with its supervised bin.
#pragma once

#include "common/gst_ref.h"
#include "core/supervise/control_connection.h"

namespace jkvm {

/// Reports to the bin what happens in the pipeline. Belongs to the main loop's thread. Must be
/// destroyed before the pipeline.
class WorkerControl {
public:
    /// `fd`: of the connection; `link`: the element that is connected with the bin.
    WorkerControl(int fd, GstElement *link);
    WorkerControl(const WorkerControl &) = delete;
    WorkerControl &operator=(const WorkerControl &) = delete;
    /// Sends the messages that are still queued, unless the bin has stopped reading.
    ~WorkerControl();

    /// Forwards the message of an element to the bin's bus.
    void on_message(GstMessage *message);

private:
    void flush();
    void receive();
    void disconnect();

    ControlConnection connection_;
    GstElement *link_;
    guint readable_ = 0; // event sources; 0 = none
    guint writable_ = 0;
    guint queued_ = 0;
};

} // namespace jkvm
