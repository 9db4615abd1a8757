// SPDX-License-Identifier: LGPL-2.1-or-later
// Minimum and maximum of the most recent values.
#pragma once

#include "core/base/time.h"

#include <algorithm>

namespace jkvm {

/// Covers the current block of values and the one before it: between one and two blocks.
class RecentRange {
public:
    explicit RecentRange(int block) : block_(block) {}

    void add(nanoseconds value)
    {
        if (current_.count == block_) {
            previous_ = current_;
            current_ = {};
        }
        current_.minimum = std::min(current_.minimum, value);
        current_.maximum = std::max(current_.maximum, value);
        ++current_.count;
    }
    void reset() { *this = RecentRange(block_); }

    /// Number of values covered.
    [[nodiscard]] int count() const { return previous_.count + current_.count; }
    /// Valid if count() is not 0.
    [[nodiscard]] nanoseconds minimum() const
    {
        return std::min(previous_.minimum, current_.minimum);
    }
    [[nodiscard]] nanoseconds maximum() const
    {
        return std::max(previous_.maximum, current_.maximum);
    }

private:
    struct Block {
        nanoseconds minimum = nanoseconds::max();
        nanoseconds maximum = nanoseconds::min();
        int count = 0;
    };
    int block_;
    Block previous_;
    Block current_;
};

} // namespace jkvm
