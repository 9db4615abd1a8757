// SPDX-License-Identifier: LGPL-2.1-or-later
// How often and how long a fault is tried. The figures are those of the plain build; the sanitizers
// see in a tenth of it what they can see.
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
/// With one listener stopped.
inline constexpr int seconds_of_listening = is_sanitized ? 15 : 60;
/// What a process may grow by over all of this, KiB: what malloc keeps. The sanitizers keep back
/// what is freed, and find leaks by themselves.
inline constexpr long memory_tolerance = is_sanitized ? 1 << 20 : 512;

} // namespace jkvm::testing
