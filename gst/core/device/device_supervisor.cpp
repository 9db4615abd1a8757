// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/device_supervisor.h"

#include <algorithm>
#include <array>

namespace jkvm {

const char *name_of(DeviceState state)
{
    return std::array{"search", "open", "run", "lost", "blocked", "released"}.at(
        static_cast<std::size_t>(state));
}

const char *name_of(DeviceTrouble trouble)
{
    constexpr std::array<const char *, device_troubles> names{
        "none",     "missing",      "busy",      "forbidden", "unsupported",  "unplugged",
        "io-error", "rate-changed", "suspended", "frozen",    "free-running", "stuck"};
    return names.at(static_cast<std::size_t>(trouble));
}

void DeviceSupervisor::on_opened(MonotonicTime now)
{
    state_ = DeviceState::open;
    due_ = now + start_timeout;
}

void DeviceSupervisor::on_failed(DeviceTrouble trouble, MonotonicTime now)
{
    const bool had_success = state_ == DeviceState::run && now - run_since_ >= success;
    if (had_success)
        backoff_.reset();
    due_ = had_success ? now : now + backoff_.next();
    // Errors of reopening a lost device do not replace the reason why it was lost.
    if (state_ != DeviceState::lost)
        trouble_ = trouble;
    if (is_open())
        state_ = DeviceState::lost;
}

void DeviceSupervisor::on_blocked()
{
    state_ = DeviceState::blocked;
    trouble_ = DeviceTrouble::frozen;
    due_ = MonotonicTime::max();
}

void DeviceSupervisor::on_released()
{
    state_ = DeviceState::released;
    due_ = MonotonicTime::max();
}

bool DeviceSupervisor::on_frame(nanoseconds frame, MonotonicTime now)
{
    const bool is_first = state_ != DeviceState::run;
    if (is_first) {
        state_ = DeviceState::run;
        run_since_ = now;
    } else {
        const auto stall = now - (due_ - frame_timeout_);
        frame_timeout_ = std::clamp(2 * stall, frame_timeout_, max_frame_timeout);
    }
    due_ = now + frame + frame_timeout_;
    return is_first;
}

} // namespace jkvm
