// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/capture_health.h"

#include <algorithm>

namespace jkvm {

void CaptureHealth::restart()
{
    *this = {};
}

DeviceTrouble CaptureHealth::check(nanoseconds position, nanoseconds captured, nanoseconds frame,
                                   std::span<const std::int16_t> samples)
{
    // Stops at the first sample that differs, which is an early one in all real audio.
    const auto first = samples.front();
    const bool is_constant = first != 0 && std::ranges::all_of(samples, [first](auto sample) {
                                 return sample == first;
                             });
    if (!is_constant || constant_ != first)
        constant_time_ = nanoseconds(0);
    constant_ = is_constant ? std::optional(first) : std::nullopt;
    if (is_constant)
        constant_time_ += frame;
    if (constant_time_ >= max_constant_time)
        return DeviceTrouble::stuck;

    if (!window_)
        window_ = Moment{position, captured};
    const auto audio = position - window_->position;
    if (audio < pace_window)
        return DeviceTrouble::none;
    const auto time = captured - window_->captured;
    window_ = Moment{position, captured};
    has_kept_pace_ = time >= audio / 4;
    fast_windows_ = has_kept_pace_ ? 0 : fast_windows_ + 1;
    return fast_windows_ >= max_fast_windows ? DeviceTrouble::free_running : DeviceTrouble::none;
}

bool CaptureHealth::is_cleared_of(DeviceTrouble trouble) const
{
    switch (trouble) {
    case DeviceTrouble::free_running:
        return has_kept_pace_;
    case DeviceTrouble::stuck:
        return window_ && !constant_;
    default:
        return true;
    }
}

} // namespace jkvm
