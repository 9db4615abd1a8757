// SPDX-License-Identifier: LGPL-2.1-or-later
// The worker's end of the control connection with its supervised bin.
#pragma once

#include "common/gst_ref.h"
#include "core/supervise/control_connection.h"
#include "demand_relay.h"
#include "following_observer.h"
#include "property_watch.h"

#include <optional>

namespace jkvm {

/// Reports to the bin what happens in the pipeline, and carries out its commands. Belongs to the
/// main loop's thread. Must be destroyed before the pipeline.
class WorkerControl {
public:
    /// `fd`: of the connection; `link`: the element that is connected with the bin.
    WorkerControl(int fd, GstBin *pipeline, GstElement *link);
    WorkerControl(const WorkerControl &) = delete;
    WorkerControl &operator=(const WorkerControl &) = delete;
    ~WorkerControl();

    /// Blocks until the bin lets the pipeline start; the properties have the bin's values then.
    void wait_for_start();
    /// Forwards the message of an element to the bin's bus.
    void on_message(GstMessage *message);
    /// Sends the messages that are still queued, unless the bin has stopped reading.
    void finish();

private:
    void flush();
    void connect_stream();
    void connect_output();
    void on_gap(GstEvent *event); // streaming thread
    void receive();
    void on_command(const ControlMessage &command);
    void set_property(const std::string &element, const std::string &property,
                      const std::string &value);
    void report(const std::string &element, const std::string &property, const std::string &value,
                bool is_notified);
    void disconnect();

    ControlConnection connection_;
    GstBin *pipeline_;
    GstElement *link_;
    std::optional<PropertyWatch> properties_;
    // At the link's receiving and sending end.
    std::optional<DemandObserver> demand_observer_;
    std::optional<FollowingObserver> following_observer_;
    std::optional<DemandOverride> demand_override_;
    std::optional<PadProbe> gap_probe_;
    bool may_start_ = false;
    unsigned diagnoses_ = 0; // sent or queued
    guint readable_ = 0;     // event sources; 0 = none
    guint writable_ = 0;
    guint queued_ = 0;
    guint timer_ = 0;
};

} // namespace jkvm
