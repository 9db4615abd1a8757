// SPDX-License-Identifier: LGPL-2.1-or-later
// What every fuzz target has: the entry point that libFuzzer and replay.cpp call, and a check that
// ends the process, because that is what libFuzzer takes for a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// The name is libFuzzer's. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace jkvm::fuzz {

/// Ends the process unless the promise `what` was kept.
inline void check(bool is_kept, const char *what)
{
    if (is_kept)
        return;
    std::fprintf(stderr, "finding: not so: %s\n", what);
    std::abort();
}

} // namespace jkvm::fuzz
