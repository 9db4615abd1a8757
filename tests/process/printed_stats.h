// SPDX-License-Identifier: LGPL-2.1-or-later
// Statistics messages in the output of `gst-launch-1.0 -m`.
#pragma once

#include "support/program.h"

#include <cstdint>
#include <string>

namespace jkvm::testing {

/// Returns a counter of the last statistics message that the program has printed. `stats` is a part
/// of the structure's name. Fails the test and returns UINT64_MAX if there is none.
std::uint64_t last_counter(Program &program, const std::string &field,
                           const std::string &stats = "-stats,");

/// Waits until the program has printed that many further statistics messages.
void wait_for_reports(Program &program, int count, const std::string &stats = "-stats,");

} // namespace jkvm::testing
