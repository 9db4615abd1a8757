// SPDX-License-Identifier: LGPL-2.1-or-later
// The bin's end of the control connection with its worker.
#pragma once

#include "control_kind.h"
#include "core/base/token_bucket.h"
#include "demand_relay.h"
#include "shadow_elements.h"

#include <gst/gst.h>

#include <atomic>
#include <optional>

namespace jkvm {

/// Makes the elements of the worker accessible in the application. on_message(), check_demand() and
/// start_worker() are called by the supervisor's thread, the other functions by any thread.
class WorkerRelay {
public:
    struct Stats {
        std::uint64_t messages = 0; ///< posted on the bus
        std::uint64_t dropped = 0;  ///< not posted: too many a second, or not understood
    };

    /// `pad`: of the bin; `ipc`: its inner element, null without one.
    WorkerRelay(GstElement *bin, GstPad *pad, GstElement *ipc);

    /// Forgets the demand of the pipeline. To be called before the first worker is started.
    void reset();
    /// Ignores the running worker, whose elements are not those of the new line, until
    /// start_worker().
    void replace_elements(const std::string &launch);
    /// Releases the shadows.
    void remove_elements() { elements_.remove_all(); }
    /// Sends a worker that was just started the values that were set, and lets it start its
    /// pipeline.
    void start_worker();
    /// Returns false if the message is none that a worker sends.
    bool on_message(const ControlMessage &message);
    /// Sends the worker a demand that has changed without an event. To be called once a second.
    void check_demand();
    /// Forgets the demand of a worker that cannot be trusted.
    void distrust_worker();

    [[nodiscard]] ControlConnection &connection() { return connection_; }
    [[nodiscard]] const ShadowElements &elements() const { return elements_; }
    [[nodiscard]] Stats stats() const { return {messages_, dropped_}; }

private:
    void observe_source(GstPad *pad);
    void answer_queries(GstPad *pad);
    void post(const ControlMessage &message);
    void set_following(bool follows);
    bool announce_gap(const ControlMessage &message);

    /// Limits the memory of an application that does not read its bus.
    static constexpr unsigned max_rate = 20; // messages per second
    static constexpr unsigned max_burst = 100;

    GstElement *bin_;
    ControlConnection connection_;
    ShadowElements elements_;
    // A source reports the demand of the application's pipeline, a sink that of the worker's.
    std::optional<DemandObserver> demand_observer_;
    std::optional<DemandOverride> demand_override_;
    std::optional<PadProbe> query_probe_;
    GstElement *ipc_;
    std::atomic<bool> follows_{false};      // the worker's sink, stretched timestamps
    std::atomic<bool> is_replacing_{false}; // the running worker has another launch line
    TokenBucket element_limit_{max_rate, max_burst};
    TokenBucket diagnosis_limit_{max_rate, max_burst}; // element messages must not displace errors
    std::atomic<std::uint64_t> messages_{0};
    std::atomic<std::uint64_t> dropped_{0};
};

} // namespace jkvm
