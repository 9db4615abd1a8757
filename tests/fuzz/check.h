// SPDX-License-Identifier: LGPL-2.1-or-later
// Declares the entry point that libFuzzer and replay.cpp call, and a check that aborts the process,
// which libFuzzer reports as a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// The name is defined by libFuzzer. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace jkvm::fuzz {

/// Aborts the process unless the invariant `what` holds.
inline void check(bool is_kept, const char *what)
{
    if (is_kept)
        return;
    std::fprintf(stderr, "finding: violated: %s\n", what);
    std::abort();
}

} // namespace jkvm::fuzz
