// SPDX-License-Identifier: LGPL-2.1-or-later
// The shadows of the elements of a launch line, and the values that the application has set.
#pragma once

#include "core/base/guarded.h"
#include "shadow_element.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace jkvm {

/// Thread-safe. Nothing is emitted while a lock is held.
class ShadowElements {
public:
    /// Element and property.
    using Key = std::pair<std::string, std::string>;
    /// Called with the lock held, so that values are sent in the order in which they were set.
    using Sender = std::function<void(const Key &, const std::string &value)>;

    /// The shadows become children of `bin`. `send` is called for each value that is set.
    ShadowElements(GstElement *bin, Sender send) : bin_(bin), send_(std::move(send)) {}
    ShadowElements(const ShadowElements &) = delete;
    ShadowElements &operator=(const ShadowElements &) = delete;
    ~ShadowElements() { remove_all(); }

    /// Must be called before the bin is finalised: the application may keep a shadow, whose parent
    /// is the bin.
    void remove_all();
    /// Replaces the shadows by those of another launch line; the values that were set are
    /// forgotten. A line that cannot be parsed in this process has none.
    void replace(const std::string &launch);
    /// Sends all values that were set since the last replacement.
    void send_all();

    /// Ignores an element or property that is not known.
    void report(const Key &key, const std::string &value);
    void notify(const Key &key);

    [[nodiscard]] guint count() const;
    /// Empty beyond the last one.
    [[nodiscard]] GstRef<GstObject> at(guint index) const;

private:
    using List = std::vector<GstRef<GstObject>>;

    void on_set(GstObject *shadow, const char *property, const std::string &value);
    [[nodiscard]] GstRef<GstObject> find(const std::string &element) const;

    GstElement *bin_;
    Sender send_;
    Guarded<List> shadows_;
    Guarded<std::map<Key, std::string>> values_; // set by the application
};

} // namespace jkvm
