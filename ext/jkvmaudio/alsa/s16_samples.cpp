// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/s16_samples.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace jkvm {

namespace {

constexpr float full_scale = 32768;

void store_each(std::span<const float> samples, std::byte *to)
{
    for (const float sample : samples) {
        // In this order, so that it returns a number for NaN, too.
        const float value =
            std::max(-full_scale, std::min(full_scale - 1, std::nearbyint(sample * full_scale)));
        const auto bits = static_cast<std::uint16_t>(static_cast<std::int16_t>(value));
        *to++ = static_cast<std::byte>(bits & 0xff);
        *to++ = static_cast<std::byte>(bits >> 8);
    }
}

#ifdef __SSE2__
/// Returns four samples as integers. Values below the range of 32 bits become its minimum.
__m128i to_integers(const float *samples)
{
    const auto values = _mm_mul_ps(_mm_loadu_ps(samples), _mm_set1_ps(full_scale));
    return _mm_cvtps_epi32(_mm_min_ps(values, _mm_set1_ps(full_scale - 1)));
}
#endif

} // namespace

void store_s16_portable(std::span<const float> samples, std::byte *to)
{
    // With vector types, because the compiler does not vectorise a loop that clips.
    constexpr std::size_t width = 4;
    using Floats [[gnu::vector_size(4 * width)]] = float;
    using Ints [[gnu::vector_size(4 * width)]] = std::int32_t;
    using Shorts [[gnu::vector_size(2 * width)]] = std::int16_t;
    constexpr Floats lowest = Floats{} - full_scale;
    constexpr Floats highest = Floats{} + (full_scale - 1);
    constexpr float rounding = 12582912; // 1.5 * 2^23: the lowest bits of a sum are an integer
    for (; samples.size() >= width && std::endian::native == std::endian::little;
         samples = samples.subspan(width), to += sizeof(Shorts)) {
        Floats values;
        std::memcpy(&values, samples.data(), sizeof values);
        values *= full_scale;
        values = values < highest ? values : highest;
        values = values > lowest ? values : lowest;
        const auto stored = __builtin_convertvector(std::bit_cast<Ints>(values + rounding), Shorts);
        std::memcpy(to, &stored, sizeof stored);
    }
    store_each(samples, to);
}

void store_s16(std::span<const float> samples, std::byte *to)
{
#ifdef __SSE2__
    constexpr std::size_t width = 16;
    const auto blocks = samples.size() / width;
    const float *from = samples.data();
    for (const float *const end = from + blocks * width; from != end; from += width) {
        for (std::size_t i = 0; i < width; i += 8, to += sizeof(__m128i)) {
            // The conversion to 16 bits clips.
            const auto shorts = _mm_packs_epi32(to_integers(from + i), to_integers(from + i + 4));
            _mm_storeu_si128(reinterpret_cast<__m128i *>(to), shorts);
        }
    }
    samples = samples.subspan(blocks * width);
#endif
    store_s16_portable(samples, to);
}

} // namespace jkvm
