// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/windowed_quantiles.h"

#include <algorithm>

namespace jkvm {

WindowedQuantiles::Summary WindowedQuantiles::summary() const
{
    const auto count = std::min(added_, window);
    if (count == 0)
        return {};
    auto sorted = values_;
    std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
    const auto rank = [count](std::size_t percent) { return (count * percent + 99) / 100 - 1; };
    return {sorted[0], sorted[rank(50)], sorted[rank(95)], sorted[count - 1]};
}

} // namespace jkvm
