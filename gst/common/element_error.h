// SPDX-License-Identifier: LGPL-2.1-or-later
// The core's errors as GStreamer's: one table for domain, code and the sentence for the user.
#pragma once

#include "core/base/result.h"

#include <gst/gst.h>

#include <string>

namespace jkvm {

struct ElementErrorCode {
    GQuark domain;
    int code;
    std::string text; ///< for the user, with the offending value
};

/// The table.
ElementErrorCode element_error_code(const Error &error);

/// Posts the error on the bus: the element cannot go on.
void post_error(GstElement *element, const Error &error);
/// Posts the same as a warning: something was lost, the element goes on.
void post_warning(GstElement *element, const Error &error);

} // namespace jkvm
