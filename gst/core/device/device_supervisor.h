// SPDX-License-Identifier: LGPL-2.1-or-later
// The state machine of an audio device that may disappear: its state, and the times of attempts.
#pragma once

#include "core/base/backoff.h"
#include "core/base/time.h"

#include <cstdint>

namespace jkvm {

enum class DeviceState {
    search,   ///< no device could be opened yet
    open,     ///< a device is open and started but has moved no samples yet
    run,      ///< samples flow
    lost,     ///< samples flowed before; the device has disappeared or is unusable
    blocked,  ///< a playback device is open but does not move, like a USB gadget whose host sleeps
    released, ///< the device was closed because its audio is not needed
};

enum class DeviceTrouble {
    none,
    missing,      ///< no such device
    busy,         ///< another program uses it
    forbidden,    ///< no permission
    unsupported,  ///< no usable format
    unplugged,    ///< removed while open
    io_error,     ///< reading or writing fails
    rate_changed, ///< its source has another rate now
    suspended,    ///< the machine was suspended
    frozen,       ///< neither samples nor an error
    free_running, ///< samples faster than real time
    stuck,        ///< every sample has the same non-zero value
};
inline constexpr std::size_t device_troubles = 12;

const char *name_of(DeviceState state);
const char *name_of(DeviceTrouble trouble);

/// The owner follows its decisions: it opens a device whenever is_open_due(), reports the result,
/// and checks again at next_event() at the latest. Thread-bound; the caller supplies "now".
class DeviceSupervisor {
public:
    /// The first attempt after a device was lost is immediate; further ones follow after growing
    /// pauses. Even with two of the longest pauses, because the reopened device failed again, and
    /// the time to open a device and to capture a frame, audio returns within half a second.
    static constexpr nanoseconds first_pause = std::chrono::milliseconds(100);
    static constexpr nanoseconds longest_pause = std::chrono::milliseconds(200);
    /// A device that ran for less than this keeps its back-off interval.
    static constexpr nanoseconds success = std::chrono::seconds(1);
    /// How long after the end of a frame a running device may take to deliver the next one: twice
    /// its longest stall so far, within these bounds. Even with the upper bound, and the time to
    /// reopen a device and to capture a frame, audio returns within half a second.
    static constexpr nanoseconds min_frame_timeout = std::chrono::milliseconds(250);
    static constexpr nanoseconds max_frame_timeout = std::chrono::milliseconds(400);
    /// The same for a device that has just been opened.
    static constexpr nanoseconds start_timeout = std::chrono::seconds(1);

    /// `seed`: of the back-off's jitter.
    explicit DeviceSupervisor(std::uint32_t seed) : backoff_(first_pause, longest_pause, seed) {}

    /// A device was opened and started.
    void on_opened(MonotonicTime now);
    /// No device could be opened, or the open one was closed for this reason.
    void on_failed(DeviceTrouble trouble, MonotonicTime now);
    /// The device moved a frame; the next one is due after `frame`. Returns whether it is the first
    /// one since the device was opened.
    bool on_frame(nanoseconds frame, MonotonicTime now);
    /// The open device has stopped and stays open until it moves, which on_frame() reports.
    void on_blocked();
    /// The device was closed because it is not needed; it stays closed.
    void on_released();
    /// The open device was restarted and is given time to start.
    void on_restarted(MonotonicTime now) { due_ = now + start_timeout; }

    [[nodiscard]] bool is_open() const
    {
        return state_ == DeviceState::open || state_ == DeviceState::run ||
               state_ == DeviceState::blocked;
    }
    [[nodiscard]] bool is_open_due(MonotonicTime now) const { return !is_open() && now >= due_; }
    /// Whether the open device has not moved a frame for too long.
    [[nodiscard]] bool is_frozen(MonotonicTime now) const { return is_open() && now >= due_; }
    /// When is_open_due() or is_frozen() becomes true if nothing else happens.
    [[nodiscard]] MonotonicTime next_event() const { return due_; }

    [[nodiscard]] DeviceState state() const { return state_; }
    /// Why no device works; while one works, why none did before. `none` if the first device worked
    /// at once.
    [[nodiscard]] DeviceTrouble trouble() const { return trouble_; }

private:
    Backoff backoff_;
    DeviceState state_ = DeviceState::search;
    DeviceTrouble trouble_ = DeviceTrouble::none;
    MonotonicTime due_{};       // of the next attempt, or of the next frame; in the past: at once
    MonotonicTime run_since_{}; // in state run
    nanoseconds frame_timeout_ = min_frame_timeout;
};

} // namespace jkvm
