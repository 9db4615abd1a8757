// SPDX-License-Identifier: LGPL-2.1-or-later
// Minimum, median, 95th percentile and maximum of the latest values.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>

namespace jkvm {

/// Adding a value is cheap; the summary sorts the window and is meant for occasional reads.
class WindowedQuantiles {
public:
    static constexpr std::size_t window = 512; ///< values

    struct Summary {
        nanoseconds minimum{0};
        nanoseconds median{0};
        nanoseconds p95{0};
        nanoseconds maximum{0};
    };

    void add(nanoseconds value) { values_[added_++ % window] = value; }
    void reset() { added_ = 0; }
    /// All zero while there are no values.
    [[nodiscard]] Summary summary() const;

private:
    std::array<nanoseconds, window> values_{};
    std::size_t added_ = 0;
};

} // namespace jkvm
