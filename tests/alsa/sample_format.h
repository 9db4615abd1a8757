// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts between 32-bit samples and the formats that the test PCM offers.
#pragma once

#include <cstdint>

namespace jkvm::testing {

enum class SampleFormat {
    s16_le,
    s24_le,  ///< low three of four bytes, sign-extended
    s24_3le, ///< three bytes
    s32_le,
};

/// Writes `sample` to `to`, rounded to the width of the format and always little endian.
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

/// Returns the size of a stored sample (bytes).
inline unsigned sample_bytes(SampleFormat format)
{
    return format == SampleFormat::s16_le ? 2 : format == SampleFormat::s24_3le ? 3 : 4;
}

/// The inverse of store_sample(); bits that the format lacks are 0.
inline int32_t load_sample(SampleFormat format, const unsigned char *from)
{
    const unsigned bytes = format == SampleFormat::s24_le ? 3 : sample_bytes(format);
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= uint32_t{from[i]} << (8 * (4 - bytes + i));
    return static_cast<int32_t>(value);
}

} // namespace jkvm::testing
