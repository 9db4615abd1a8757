// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/rate_limit.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(RateLimit, AdmitsOneReportPerIntervalAndCountsTheOthers)
{
    RateLimit limit(1s);
    const MonotonicTime start{100s};
    EXPECT_EQ(limit.admit(start), 0u);
    EXPECT_FALSE(limit.admit(start));
    EXPECT_FALSE(limit.admit(start + 999ms));
    EXPECT_EQ(limit.admit(start + 1s), 2u);
    EXPECT_EQ(limit.admit(start + 2s), 0u);
}

} // namespace
} // namespace jkvm
