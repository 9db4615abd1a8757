// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/quiet_detector.h"

#include "core/opus/opus_packet.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A SILK packet begins with one bit for each 20 ms (the whole frame, if it is shorter): voice or
// not. With several frames in a packet the bits of the others cannot be reached.
bool has_voice(const OpusPacketFacts &facts, std::span<const std::byte> packet)
{
    if (facts.frames > 1 || packet.size() < 2)
        return true;
    const auto bits = std::max<std::int64_t>(facts.frame_duration / 20ms, 1);
    return (packet[1] >> (8 - bits)) != std::byte{0};
}

} // namespace

bool QuietDetector::is_quiet(std::span<const std::byte> packet)
{
    const auto facts = opus_packet_facts(packet);
    if (!facts)
        return false;
    const bool small = is_small(packet.size()) && packet[0] == toc_;
    remember(packet[0], packet.size());
    if (packet.size() <= silent_bytes)
        return true;
    return facts->mode == OpusMode::celt ? small : !has_voice(*facts, packet);
}

// Among the smallest fifth. At a constant rate every packet would be; so at least half of them must
// be larger.
bool QuietDetector::is_small(std::size_t size) const
{
    const auto count = std::min(added_, window);
    if (count < least_window)
        return false;
    // Over the whole window, places without a packet included: the compiler can make vectors of
    // that. Those are 0, so they count as smaller.
    const auto compared = static_cast<std::uint16_t>(std::min<std::size_t>(size, 0xFFFF));
    std::uint16_t smaller = 0;
    std::uint16_t larger = 0;
    for (const auto other : sizes_) {
        smaller = static_cast<std::uint16_t>(smaller + (other < compared));
        larger = static_cast<std::uint16_t>(larger + (other > compared));
    }
    return (smaller - (window - count)) * 5 < count && std::size_t{larger} * 2 >= count;
}

void QuietDetector::remember(std::byte toc, std::size_t size)
{
    if (toc != toc_) {
        added_ = 0;
        sizes_.fill(0);
    }
    toc_ = toc;
    sizes_[added_++ % window] = static_cast<std::uint16_t>(std::min<std::size_t>(size, 0xFFFF));
}

} // namespace jkvm
