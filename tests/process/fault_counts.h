// SPDX-License-Identifier: LGPL-2.1-or-later
// Repetitions and durations of the fault tests. Sanitizer builds repeat a fault a tenth as often,
// which is sufficient for their checks.
#pragma once

namespace jkvm::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

constexpr int scaled(int count)
{
    return is_sanitized ? count / 10 : count;
}

inline constexpr int kills = scaled(200);
inline constexpr int state_changes = scaled(500);
/// Duration of the test with one stopped listener (s).
inline constexpr int seconds_of_listening = is_sanitized ? 15 : 60;
/// Maximum growth of a process during a fault test (KiB), which allows for memory that malloc
/// keeps. Sanitizers quarantine freed memory and detect leaks themselves.
inline constexpr long memory_tolerance = is_sanitized ? 1 << 20 : 512;

} // namespace jkvm::testing
