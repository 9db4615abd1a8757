// SPDX-License-Identifier: LGPL-2.1-or-later
// Detects that the hardware pointer of a running device has stopped.
#pragma once

#include "core/base/time.h"

#include <cstdint>
#include <optional>

namespace jkvm {

/// A USB gadget whose host does not record reports no error: its state stays RUNNING, and only its
/// pointer stops. Any movement means that the device plays again. Thread-bound.
class PointerStallDetector {
public:
    static constexpr nanoseconds longest_pause = std::chrono::milliseconds(100);

    /// `period`: interval of the pointer's movements on a working device; 0 if it moves
    /// continuously.
    explicit PointerStallDetector(nanoseconds period) : limit_(longest_pause + period) {}

    /// A reading of the pointer of a running device.
    void on_reading(std::uint64_t pointer, MonotonicTime now)
    {
        if (pointer_ != pointer)
            moved_at_ = now;
        pointer_ = pointer;
    }
    /// Forgets the readings after the device was restarted; the limit applies from the next one.
    void restart() { pointer_.reset(); }

    [[nodiscard]] bool is_stalled(MonotonicTime now) const { return pointer_ && now >= deadline(); }
    /// Time at which the device counts as stalled unless it moves. Valid after a reading.
    [[nodiscard]] MonotonicTime deadline() const { return moved_at_ + limit_; }

private:
    nanoseconds limit_;
    std::optional<std::uint64_t> pointer_;
    MonotonicTime moved_at_{};
};

} // namespace jkvm
