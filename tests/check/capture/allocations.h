// SPDX-License-Identifier: LGPL-2.1-or-later
// Who allocates and frees memory on one thread. The program that links this stands before the C
// library, and is not for sanitizers, which want that place themselves.
#pragma once

#include <string>
#include <vector>

namespace jkvm::testing {

/// From now on what this thread allocates and frees is noted. libasound and its plugins are left
/// out: the test device allocates where a card would not.
void watch_allocations();
/// The places of those calls, as library and function; at most 32.
std::vector<std::string> stop_watching_allocations();

} // namespace jkvm::testing
