// SPDX-License-Identifier: LGPL-2.1-or-later
// Represents an element of the worker in the application's process.
#pragma once

#include "common/gst_ref.h"

#include <functional>
#include <string>

namespace jkvm {

/// Called with a lock of the shadow when the application has set a property, with the value as
/// text.
using ShadowSetter =
    std::function<void(GstObject *shadow, const char *property, const std::string &value)>;

/// Returns an object with the name `name`, the properties of the element `model` that can be
/// expressed as text, and their values. `on_set` is called by the thread that sets a property.
GstRef<GstObject> make_shadow(GstElement *model, const std::string &name, ShadowSetter on_set);

/// `on_set` is not called any more, and does not run.
void detach_shadow(GstObject *shadow);

/// Stores the value that the worker has reported. Returns false if the shadow has no such property,
/// or the text is not a value of it.
bool report_value(GstObject *shadow, const std::string &property, const std::string &value);

} // namespace jkvm
