// SPDX-License-Identifier: LGPL-2.1-or-later
// The kinds of control messages between a supervised bin and its worker.
#pragma once

#include "core/supervise/control_connection.h"

#include <optional>
#include <string>
#include <utility>

namespace jkvm {

/// With the fields of each message. A structure or value is text as in value_text.h; an element is
/// its name in the worker's pipeline.
enum class ControlKind : std::uint8_t {
    // From the bin to the worker.
    set = 's',    ///< element, property, value
    start = 'p',  ///< no fields; the pipeline is started, with the values that were set before
    demand = 'd', ///< "1" or "0": whether the peer's pipeline listens; in both directions
    // From the worker to the bin.
    element_message = 'M', ///< element, structure
    diagnosis = 'D',       ///< element, severity, error domain, code, text, debug text
    value = 'V',           ///< element, property, value
    notify = 'N',          ///< element, property
    gap = 'G',             ///< start and end of a GAP event, ns of the wall clock
    following = 'F',       ///< "1" or "0": whether the sink follows stretched timestamps
};

template <typename... Fields>
ControlMessage make_control(ControlKind kind, Fields &&...fields)
{
    return {static_cast<std::uint8_t>(kind), {std::string(std::forward<Fields>(fields))...}};
}

inline ControlMessage make_control(ControlKind kind, bool flag)
{
    return make_control(kind, flag ? "1" : "0");
}

/// Returns nothing if the fields are not one flag.
inline std::optional<bool> flag_of(const ControlMessage &message)
{
    const auto &fields = message.fields;
    if (fields.size() != 1 || (fields[0] != "0" && fields[0] != "1"))
        return std::nullopt;
    return fields[0] == "1";
}

} // namespace jkvm
