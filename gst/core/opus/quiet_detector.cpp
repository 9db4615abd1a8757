// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/quiet_detector.h"

#include <algorithm>

namespace jkvm {

bool QuietDetector::record(double level, nanoseconds duration)
{
    const auto seconds = std::chrono::duration<double>(duration).count();
    reference_ = std::max(reference_ - reference_decay * seconds, level);
    return level < silence_level || level < reference_ - minimum_distance;
}

} // namespace jkvm
