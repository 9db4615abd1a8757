// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/playback_control.h"

#include <algorithm>
#include <cmath>

namespace jkvm {

PlaybackControl::Step PlaybackControl::next(const PlaybackClock &clock, std::uint64_t written,
                                            MonotonicTime due, double stretch)
{
    using Seconds = std::chrono::duration<double>;
    error_ = clock.time_of(written) - due;
    std::int64_t silence = 0;
    if (!is_aligned_ || std::chrono::abs(error_) > largest_slewed_error) {
        is_aligned_ = true;
        const double rate = clock.rate() * clock.pitch() * (1 + clock.ppm() * 1e-6);
        silence = std::llround(-Seconds(error_).count() * rate);
        error_ +=
            std::chrono::duration_cast<nanoseconds>(Seconds(static_cast<double>(silence) / rate));
    }
    if (!is_following_)
        return {1, silence};
    const double correction = std::clamp(1e6 * (Seconds(error_) / Seconds(time_constant)),
                                         -largest_correction, largest_correction);
    const double rate = (1 + clock.ppm() * 1e-6) * (1 + stretch * 1e-6);
    return {rate - correction * 1e-6, silence};
}

} // namespace jkvm
