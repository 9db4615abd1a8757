// SPDX-License-Identifier: LGPL-2.1-or-later
// Observes the properties of all elements of a pipeline.
#pragma once

#include "common/gst_ref.h"
#include "core/base/guarded.h"
#include "core/base/wake_event.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace jkvm {

/// Belongs to the main loop's thread. Must be destroyed before the pipeline.
class PropertyWatch {
public:
    /// `value`: the new value as text. `is_notified`: the element has emitted `notify`.
    using Report = std::function<void(const std::string &element, const std::string &property,
                                      const std::string &value, bool is_notified)>;

    /// `report` is called for each property at first, then for those that have changed: at once if
    /// the element notifies of it, else within a second. Properties of `ignored` are not reported.
    PropertyWatch(GstBin *pipeline, GstElement *ignored, Report report);
    PropertyWatch(const PropertyWatch &) = delete;
    PropertyWatch &operator=(const PropertyWatch &) = delete;
    ~PropertyWatch();

    /// Reports the property even if it has not changed, unless its value cannot be reported.
    void report(GstElement *element, GParamSpec *spec);

private:
    using Key = std::pair<std::string, std::string>;
    struct Notified {
        GstRef<GstObject> element;
        GParamSpec *spec; // belongs to the element's class
        bool operator<(const Notified &other) const
        {
            return std::pair(element.get(), spec) < std::pair(other.element.get(), other.spec);
        }
    };

    void on_notify(GstObject *object, GParamSpec *spec); // any thread
    void report_notified();
    void sample();
    void sample_element(GstObject *element);
    void report_if_changed(GstObject *element, GParamSpec *spec, bool is_notified);

    GstBin *pipeline_;
    GstElement *ignored_;
    Report report_;
    std::map<Key, std::string> reported_;
    Guarded<std::set<Notified>> notified_;
    WakeEvent wake_; // set while notified_ is not empty
    gulong handler_ = 0;
    guint timer_ = 0;
    guint woken_ = 0;
};

} // namespace jkvm
