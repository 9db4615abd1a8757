// SPDX-License-Identifier: LGPL-2.1-or-later
// Storing a 32 bit sample in the formats that the test PCM offers.
#pragma once

#include <cstdint>

namespace jkvm::testing {

enum class SampleFormat {
    s16_le,
    s24_le,  ///< in the low three of four bytes, sign-extended
    s24_3le, ///< in three bytes
    s32_le,
};

/// Writes `sample` to `to`, rounded to the format's width; little endian on every machine.
inline void store_sample(SampleFormat format, int32_t sample, unsigned char *to)
{
    const auto rounded = [sample](int drop) {
        const int64_t value = (int64_t{sample} + (int64_t{1} << (drop - 1))) >> drop;
        const int64_t top = (int64_t{1} << (31 - drop)) - 1;
        return static_cast<uint32_t>(value > top ? top : value);
    };
    const auto put = [to](uint32_t value, int bytes) {
        for (int i = 0; i < bytes; i++)
            to[i] = static_cast<unsigned char>(value >> (8 * i));
    };
    switch (format) {
    case SampleFormat::s16_le:
        return put(rounded(16), 2);
    case SampleFormat::s24_le:
        return put(rounded(8), 4);
    case SampleFormat::s24_3le:
        return put(rounded(8), 3);
    case SampleFormat::s32_le:
        return put(static_cast<uint32_t>(sample), 4);
    }
}

} // namespace jkvm::testing
