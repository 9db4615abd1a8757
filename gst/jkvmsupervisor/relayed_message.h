// SPDX-License-Identifier: LGPL-2.1-or-later
// Carries messages from the bus of a worker to that of the application.
#pragma once

#include "common/gst_ref.h"
#include "control_kind.h"

#include <optional>

namespace jkvm {

/// Returns the control message that carries the message of an element: an element message, error,
/// warning or information; nothing for a message of another type.
std::optional<ControlMessage> describe_message(GstMessage *message);

/// Returns the message to be posted by the bin, whose structure or details have the field
/// `element`; empty if the control message cannot be understood. An error becomes a warning,
/// because the worker is restarted.
GstRef<GstMessage> make_relayed_message(GstElement *bin, const ControlMessage &control);

} // namespace jkvm
