// SPDX-License-Identifier: LGPL-2.1-or-later
// Carries the demand for audio across the link between a supervised bin and its worker, each of
// which is the link's only client.
#pragma once

#include "common/demand.h"
#include "pad_probe.h"

#include <atomic>
#include <functional>
#include <mutex>

namespace jkvm {

/// Observes whether anything downstream of the receiving end listens.
class DemandObserver {
public:
    /// Called with a lock, so that the reports are in order; it is heard at first.
    using Report = std::function<void(bool is_heard)>;

    /// `source`: pad through which the link's audio leaves.
    DemandObserver(GstPad *source, Report report);
    DemandObserver(const DemandObserver &) = delete;
    DemandObserver &operator=(const DemandObserver &) = delete;

    /// Reports the last result again.
    void report();
    /// Reports a change of which no event tells: a pad was unlinked. To be called once a second.
    void check();
    /// Forgets what was observed: the pad was inactive and may have missed events.
    void reset();

private:
    void on_event(GstEvent *event);

    Report report_;
    DownstreamDemand demand_;
    std::mutex mutex_; // of the check and its report
    bool is_heard_ = true;
    PadProbe probe_; // uses the members above
};

/// Applies what the peer has observed: the link's jkvmipcsink reports no listener while its
/// client is not heard.
class DemandOverride {
public:
    /// `sink`: the jkvmipcsink.
    explicit DemandOverride(GstElement *sink);
    DemandOverride(const DemandOverride &) = delete;
    DemandOverride &operator=(const DemandOverride &) = delete;

    void set_heard(bool is_heard);

private:
    void replace(GstPadProbeInfo *info) const;

    GstElement *sink_;
    std::atomic<bool> is_heard_{true};
    PadProbe probe_; // uses the member above
};

} // namespace jkvm
