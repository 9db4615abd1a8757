// SPDX-License-Identifier: LGPL-2.1-or-later
// System calls of the unit tests' program that a test can observe or change.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>

namespace jkvm::testing {

/// The mode that a file had when chmod() was last called for it.
extern mode_t mode_before_chmod;
/// Limits the next sendmsg() to that many bytes.
extern std::optional<std::size_t> limit_of_next_sendmsg;

} // namespace jkvm::testing
