// SPDX-License-Identifier: LGPL-2.1-or-later
// The kinds of control messages between a supervised bin and its worker.
#pragma once

#include "core/supervise/control_connection.h"

namespace jkvm {

/// With the fields of each message. A structure or value is text as in value_text.h; an element is
/// its name in the worker's pipeline.
enum class ControlKind : std::uint8_t {
    // From the bin to the worker.
    set = 's',   ///< element, property, value
    start = 'p', ///< no fields; the pipeline is started, with the values that were set before
    // From the worker to the bin.
    element_message = 'M', ///< element, structure
    diagnosis = 'D',       ///< element, severity, error domain, code, text, debug text
    value = 'V',           ///< element, property, value
    notify = 'N',          ///< element, property
};

template <typename... Fields>
ControlMessage make_control(ControlKind kind, Fields &&...fields)
{
    return {static_cast<std::uint8_t>(kind), {std::string(std::forward<Fields>(fields))...}};
}

} // namespace jkvm
