// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts float samples to S16LE, several at a time.
#pragma once

#include <cstddef>
#include <span>

namespace jkvm {

/// Stores samples as S16LE, rounded to the nearest value (a tie to the even one) and clipped to
/// full scale. NaN counts as the maximum.
void store_s16(std::span<const float> samples, std::byte *to);

/// As store_s16(), without instructions of a particular processor.
void store_s16_portable(std::span<const float> samples, std::byte *to);

} // namespace jkvm
