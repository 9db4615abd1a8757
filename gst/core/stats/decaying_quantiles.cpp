// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/decaying_quantiles.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace jkvm {

namespace {

// Each value below 2^precision units has its own bucket; above, each octave has
// 2^(precision - 1) buckets.
constexpr unsigned precision = 6;
constexpr unsigned half = 1U << (precision - 1);
constexpr unsigned unit_bits = 10; // a unit is 2^10 ns

constexpr unsigned shift_of(std::uint64_t units)
{
    const auto width = static_cast<unsigned>(std::bit_width(units));
    return width > precision ? width - precision : 0;
}

constexpr std::size_t bucket_of(nanoseconds value)
{
    const auto clamped = std::clamp(value, nanoseconds(0), DecayingQuantiles::maximum);
    const auto units = static_cast<std::uint64_t>(clamped.count()) >> unit_bits;
    const auto shift = shift_of(units);
    return std::size_t{shift} * half + static_cast<std::size_t>(units >> shift);
}

/// Centre of the bucket.
nanoseconds value_of(std::size_t bucket)
{
    const auto shift = bucket < std::size_t{2} * half ? 0 : bucket / half - 1;
    const auto lower = static_cast<std::uint64_t>(bucket - shift * half) << (shift + unit_bits);
    const auto width = std::uint64_t{1} << (shift + unit_bits);
    return nanoseconds(static_cast<std::int64_t>(lower + width / 2));
}

} // namespace

void DecayingQuantiles::record(nanoseconds value)
{
    static_assert(bucket_of(maximum) < std::tuple_size_v<decltype(counts_)>);
    ++counts_[bucket_of(value)];
    if (++total_ < capacity)
        return;
    total_ = 0;
    for (auto &count : counts_)
        total_ += count /= 2;
}

nanoseconds DecayingQuantiles::at(double q) const
{
    if (total_ == 0)
        return nanoseconds(0);
    const auto rank = static_cast<std::uint32_t>(std::ceil(std::clamp(q, 0.0, 1.0) * total_));
    std::uint32_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
        seen += counts_[bucket];
        if (seen >= std::max(rank, 1U))
            return value_of(bucket);
    }
    return maximum;
}

} // namespace jkvm
