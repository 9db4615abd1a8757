// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/backoff.h"

#include <algorithm>

namespace jkvm {

nanoseconds Backoff::next()
{
    const auto pause = pause_;
    pause_ = std::min(2 * pause_, longest_);
    std::uniform_int_distribution<nanoseconds::rep> shorten(0, pause.count() / 4);
    return pause - nanoseconds(shorten(random_));
}

} // namespace jkvm
