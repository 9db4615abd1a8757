// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound device that comes and goes: in which state it is, and when to try what.
#pragma once

#include "core/base/backoff.h"
#include "core/base/time.h"

#include <cstdint>

namespace jkvm {

enum class DeviceState {
    search, ///< none could be opened yet
    open,   ///< one is open and started; no sound has come yet
    run,    ///< sound comes
    lost,   ///< it had sound and is gone, or is of no use
};

enum class DeviceTrouble {
    none,
    missing,      ///< there is no such device
    busy,         ///< another program has it
    forbidden,    ///< no permission
    unsupported,  ///< it can do nothing that is of use
    unplugged,    ///< it is gone
    io_error,     ///< reading fails
    rate_changed, ///< its source has another rate now
    suspended,    ///< the machine slept
    frozen,       ///< it gives neither sound nor an error
    free_running, ///< it gives sound faster than time passes
    stuck,        ///< every sample is the same, and not silence
};
inline constexpr std::size_t device_troubles = 12;

const char *name_of(DeviceState state);
const char *name_of(DeviceTrouble trouble);

/// The owner does what this decides: it opens a device whenever wants_open(), says what came of it,
/// and looks again at next_event() at the latest. Thread-bound; "now" is always given.
class DeviceSupervisor {
public:
    /// The first try after a device was lost comes at once, the others with growing pauses. With
    /// the longest, and what opening and a frame take, sound is back half a second after the
    /// device is.
    static constexpr nanoseconds first_pause = std::chrono::milliseconds(100);
    static constexpr nanoseconds longest_pause = std::chrono::milliseconds(300);
    /// Who ran for less had no success: the pauses go on growing.
    static constexpr nanoseconds success = std::chrono::seconds(1);
    /// How long after a frame's end a running device may take to give the next one.
    static constexpr nanoseconds patience = std::chrono::milliseconds(100);
    /// How long a device that was just opened may.
    static constexpr nanoseconds start_patience = std::chrono::seconds(1);

    explicit DeviceSupervisor(std::uint32_t seed) : backoff_(first_pause, longest_pause, seed) {}

    /// A device was opened and started.
    void opened(MonotonicTime now);
    /// No device could be opened, or the one that was open is of no use any more and is closed.
    void failed(DeviceTrouble trouble, MonotonicTime now);
    /// A frame came; the next one is due after `frame`. Whether it is the first one.
    bool has_sound(nanoseconds frame, MonotonicTime now);
    /// The open device was started anew, and gets the time to begin.
    void restarted(MonotonicTime now) { due_ = now + start_patience; }

    [[nodiscard]] bool is_open() const
    {
        return state_ == DeviceState::open || state_ == DeviceState::run;
    }
    [[nodiscard]] bool wants_open(MonotonicTime now) const { return !is_open() && now >= due_; }
    /// Whether the open device gave nothing for too long.
    [[nodiscard]] bool is_frozen(MonotonicTime now) const { return is_open() && now >= due_; }
    /// When wants_open() or is_frozen() will be true if nothing else happens.
    [[nodiscard]] MonotonicTime next_event() const { return due_; }

    [[nodiscard]] DeviceState state() const { return state_; }
    /// Why there is no sound, or was none before there was again; none while the first device
    /// does well.
    [[nodiscard]] DeviceTrouble trouble() const { return trouble_; }

private:
    Backoff backoff_;
    DeviceState state_ = DeviceState::search;
    DeviceTrouble trouble_ = DeviceTrouble::none;
    MonotonicTime due_{};       // of the next try, or of the next frame; the past: at once
    MonotonicTime run_since_{}; // in state run
};

} // namespace jkvm
