// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/source_state.h"

#include <algorithm>

namespace jkvm::wire {

bool SourceState::is_nick(std::string_view text)
{
    return text.size() <= max_nick && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

} // namespace jkvm::wire
