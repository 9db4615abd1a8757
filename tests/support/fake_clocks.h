// SPDX-License-Identifier: LGPL-2.1-or-later
// Replaces CLOCK_REALTIME or CLOCK_MONOTONIC of this process by a time that a test sets. The
// program must export clock_gettime (-Wl,--export-dynamic-symbol), so that shared libraries call
// the override as well.
#pragma once

#include "core/base/time.h"

namespace jkvm::testing {

/// The wall clock returns the time that was set last; at most one exists. All threads of the
/// process are affected.
class FakeWallClock {
public:
    explicit FakeWallClock(WallTime now) { set(now); }
    FakeWallClock(const FakeWallClock &) = delete;
    FakeWallClock &operator=(const FakeWallClock &) = delete;
    ~FakeWallClock();

    static void set(WallTime now);
};

/// The monotonic clock returns the time that was set last; at most one exists. All threads of the
/// process are affected, but the kernel's timers are not: code under test must not wait.
class FakeMonotonicClock {
public:
    explicit FakeMonotonicClock(MonotonicTime now) { set(now); }
    FakeMonotonicClock(const FakeMonotonicClock &) = delete;
    FakeMonotonicClock &operator=(const FakeMonotonicClock &) = delete;
    ~FakeMonotonicClock();

    static void set(MonotonicTime now);
    /// Advances the clock by `duration` before the `count`-th reading from now, as if the thread
    /// had been interrupted there.
    static void interrupt_after(int count, nanoseconds duration);
};

} // namespace jkvm::testing
