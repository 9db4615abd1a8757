// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/backoff.h"

#include <algorithm>

namespace jkvm {

nanoseconds Backoff::next()
{
    const auto interval = interval_;
    interval_ = std::min(2 * interval_, longest_);
    std::uniform_int_distribution<nanoseconds::rep> reduction(0, interval.count() / 4);
    return interval - nanoseconds(reduction(random_));
}

} // namespace jkvm
