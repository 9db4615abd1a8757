// SPDX-License-Identifier: LGPL-2.1-or-later
// Parts of launch lines.
#pragma once

#include <string>
#include <string_view>

namespace jkvm::browser {

/// Quotes the value of a property.
inline std::string quote_for_gst(std::string_view value)
{
    std::string result = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\')
            result += '\\';
        result += c;
    }
    return result + '"';
}

} // namespace jkvm::browser
