// SPDX-License-Identifier: LGPL-2.1-or-later
// Maps the core's errors to GStreamer's domain, code and user text.
#pragma once

#include "core/base/result.h"

#include <gst/gst.h>

#include <string>

namespace jkvm {

struct ElementErrorCode {
    GQuark domain;
    int code;
    std::string text; ///< for the user; contains the offending value
};

/// Returns the table's row for the error.
ElementErrorCode element_error_code(const Error &error);

/// Posts the error on the bus: the element cannot continue.
void post_error(GstElement *element, const Error &error);
/// Posts the error as a warning: the element continues.
void post_warning(GstElement *element, const Error &error);

} // namespace jkvm
