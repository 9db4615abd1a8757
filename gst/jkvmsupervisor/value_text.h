// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts structures and values of properties to text and back; the text may be from a process
// that has gone wrong.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <optional>
#include <string>

namespace jkvm {

struct FreeStructure {
    void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};
using OwnedStructure = std::unique_ptr<GstStructure, FreeStructure>;

/// Whether values of the type can be expressed as text that another process understands.
bool is_expressible(GType type);

/// Replaces what is not UTF-8.
std::string to_utf8(const std::string &text);

/// Fields that cannot be expressed as text are left out.
std::string to_text(const GstStructure *structure);
/// Returns null if the text is not a structure, or is nested so deeply that parsing it could
/// overflow the stack.
OwnedStructure structure_of(const std::string &text);

/// Returns nothing if the value cannot be expressed as text.
std::optional<std::string> to_text(const GValue *value);
/// Sets an initialised value. Returns false if the text is not a value of the property.
bool set_from_text(GValue *value, const std::string &text, GParamSpec *spec);

} // namespace jkvm
