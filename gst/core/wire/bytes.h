// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads and writes little-endian integers, independent of the host's byte order.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

namespace jkvm::wire {

/// The caller guarantees that the span is long enough.
template <std::unsigned_integral T>
void put_le(std::span<std::byte> out, std::size_t offset, T value)
{
    for (std::size_t i = 0; i < sizeof(T); ++i)
        out[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

template <std::unsigned_integral T>
T get_le(std::span<const std::byte> in, std::size_t offset)
{
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= static_cast<T>(std::to_integer<T>(in[offset + i]) << (8 * i));
    return value;
}

} // namespace jkvm::wire
