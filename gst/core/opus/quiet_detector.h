// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the frames of an Opus stream that are hardly missed, without decoding them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace jkvm {

/// Three signs, from RFC 6716 and from measuring libopus: a packet of a few bytes is silence (or
/// discontinuous transmission); SILK says by itself whether there was a voice; CELT at a variable
/// rate spends the fewest bytes on what is quiet or does not change. Thread-bound.
class QuietDetector {
public:
    static constexpr std::size_t silent_bytes = 3; ///< a packet that is not longer is silence
    static constexpr std::size_t window = 256;     ///< packets that a size is compared with
    static constexpr std::size_t least_window = 50;

    /// To be asked once for each packet, in their order.
    bool is_quiet(std::span<const std::byte> packet);

private:
    [[nodiscard]] bool is_small(std::size_t size) const;
    void remember(std::byte toc, std::size_t size);

    // A ring, of packets with the same first byte; 0 where there was none yet.
    std::array<std::uint16_t, window> sizes_{};
    std::size_t added_ = 0;
    std::byte toc_{0};
};

} // namespace jkvm
