// SPDX-License-Identifier: LGPL-2.1-or-later
// Records which code allocates and frees memory on one thread. The program that links this
// overrides the C library's functions, which sanitizers do as well, so the two exclude each other.
#pragma once

#include <string>
#include <vector>

namespace jkvm::testing {

/// Starts recording this thread. libasound and its plugins are ignored: the test device allocates
/// where a sound card does not.
void watch_allocations();
/// The recorded calls, as library and function; at most 32.
std::vector<std::string> stop_watching_allocations();

} // namespace jkvm::testing
