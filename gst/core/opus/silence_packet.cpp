// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/silence_packet.h"

#include <algorithm>
#include <string_view>

namespace jkvm {

namespace {

using namespace std::string_view_literals;

// A CELT frame of any bandwidth, length and number of channels: only its silence flag is set.
constexpr auto celt_silence = "\xff\xfe"sv;

// Number of configurations in a TOC byte that are SILK or hybrid frames; the others are CELT.
constexpr std::size_t silk_configurations = 16;

// SILK and hybrid frames without their TOC byte, for each configuration in mono and in stereo. Each
// is the last of 60 frames of digital silence that libopus 1.3.1 encoded at 12 kbit/s per channel,
// by when they no longer change.
// clang-format off
constexpr std::array<std::string_view, 2 * silk_configurations> silk_silence{
    // narrowband, 10 ms
    "\x07\xc0\x8f\xa8\xc0"sv,
    "\x07\xfd\x32\x15\x57\xb0\xbf\x56\x9e\x78"sv,
    // narrowband, 20 ms
    "\x07\xc6\xb3\x0e\xc6"sv,
    "\x07\xfd\x32\x93\x90\x03\x9f\xaf\xfd\xd4\x3e"sv,
    // narrowband, 40 ms
    "\x03\xe3\x59\x87\x5e\x8e\x17\x39\xdc"sv,
    "\x01\xff\x4c\xa6\x8f\x23\x40\x7a\xff\xb1\x1c\x26\x00\xe5\x05\x11\xa4\x0e\x54\x97\x80"sv,
    // narrowband, 60 ms
    "\x01\xf1\xac\xc3\x8c\xd8\x0b\xd7\x05\xb6\xbd\x10\xd2"sv,
    "\x00\x7f\xd3\x29\x8d\x87\x55\xc6\xcb\xbe\x95\xb4\x11\x9c\x52\xeb\xc6\x6d\xdd\x75\x04\x44"
    "\x01\xeb\xd9\x34\x31\x54\x91"sv,
    // mediumband, 10 ms
    "\x07\xc0\x8f\xaf\x42\xc0"sv,
    "\x07\xfd\x32\x15\x58\x38\xe0\x47\xfc\xce\x0e\x68"sv,
    // mediumband, 20 ms
    "\x07\xc6\xb3\x0e\xc4\xb0"sv,
    "\x07\xfd\x32\x93\x90\x03\x96\x3c\x01\x36\xe7\x97"sv,
    // mediumband, 40 ms
    "\x03\xe3\x59\x87\x5d\xa4\x7e\x96\x51\xff\x80"sv,
    "\x01\xff\x4c\xa6\x8f\x23\x3e\x1e\x00\x06\x96\x9d\x17\xce\x13\x69\x6b\x2c\xa2\x7a\x7f\x73"
    "\xc0"sv,
    // mediumband, 60 ms
    "\x01\xf1\xac\xc3\x8c\x63\x3f\x4f\x39\xd1\x79\x24\x68\x5f\xcc"sv,
    "\x00\x7f\xd3\x29\x8d\x87\x55\x2f\x80\x68\x91\x6b\x3c\x74\x44\x9e\x1d\x89\x00\x23\xf8\x84"
    "\x93\x27\xe5\x55\x9b\x63\x53\x08\xb4\xe3\xc6"sv,
    // wideband, 10 ms
    "\x08\xaf\x48\xe6\xd5"sv,
    "\x07\xfd\x32\xc8\xb7\xac\x76\x9c\x75\xa5\x3b\xc4"sv,
    // wideband, 20 ms
    "\x07\xc9\x79\xc8\xc9\x57\xc0"sv,
    "\x07\xfd\x32\xcc\xa6\x3a\x25\x05\x23\x80\x5d\x47\x6f\x89\x4a\x80"sv,
    // wideband, 40 ms
    "\x03\xe4\xbc\xe4\x66\xe3\x3c\x3c\xb5\x08\x8a\x6b\x21\x40"sv,
    "\x01\xff\x4c\xb4\xd4\xaf\x44\xe5\x49\x5b\xee\x87\x7f\xe7\x81\x26\xa9\x4d\x10\x2e\x66\x0c"
    "\x61\xaf\xe1\xfd\x10\x9c\x78"sv,
    // wideband, 60 ms
    "\x01\xf2\x5e\x72\x36\x92\x1f\x05\xfa\x47\x8d\x69\x2c\x8f\x20\x0a\xfb\xfb\x2b\x20"sv,
    "\x00\x7f\xd3\x2d\x1e\xe5\xd9\x9f\xea\x59\xb1\x70\x12\x20\x57\x17\xd4\xa7\xad\xd7\xc2\x41"
    "\xcf\x70\x5a\x5c\x00\x02\xfc\x51\x0d\x82\x63\x6b\x72\x0b\xdb\x74\x23\xff\x34\x83\x40"sv,
    // superwideband, 10 ms
    "\x08\xaf\x48\xe6\xd5\x31\x5d\x2a\x4e\xf1\xaa\x10"sv,
    "\x08\x01\xec\x09\xd9\x5f\x70\x9a\xf4\x9d\xf9\x87\xf3\x0f\xe2\xd7\x26\x20"sv,
    // superwideband, 20 ms
    "\x07\xc9\x79\xc8\xc9\x57\xc0\xa2\x12\x23\xfa\x4d\x08\x90"sv,
    "\x07\xfd\x32\xcc\xa6\x3a\x25\x05\x23\xfa\xb4\x07\x6f\x89\x4a\xe6\xe0\xfa\xbd\x4d\xfa\x9b"
    "\xf3\xd3\xfc\x80"sv,
    // fullband, 10 ms
    "\x08\xaf\x48\xe6\xd5\x31\x5d\x2a\x4f\x0e\x72\x1c\x98\x19\xb0\x40"sv,
    "\x08\x01\xec\x09\xd9\x5f\x70\x9a\xf4\x9d\xf9\x87\xf3\x0f\xe6\x1f\xcc\x3f\x98\x6f\x04\xdd"
    "\xbf\x1a\x08"sv,
    // fullband, 20 ms
    "\x07\xc9\x79\xc8\xc9\x57\xc0\xa2\x12\x23\xfa\xef\x67\xf3\x1d\xc1\x20"sv,
    "\x08\x01\xec\x0b\x29\x6a\xb7\x3d\x42\x53\x8f\xb3\xdd\x43\xba\x87\x74\xff\xb7\xbf\x81\x8b"
    "\x45\x08\x88\x2d\x80"sv,
};
// clang-format on

/// `toc`: the first byte of a packet (RFC 6716, section 3.1).
std::string_view silent_frame(unsigned toc)
{
    const auto configuration = toc >> 3;
    const auto is_stereo = (toc >> 2) & 1;
    return configuration < silk_configurations ? silk_silence.at(2 * configuration + is_stereo)
                                               : celt_silence;
}

} // namespace

SilencePacket::SilencePacket(Codec codec, std::span<const std::byte> model)
{
    switch (codec) {
    case Codec::opus:
        encode_opus(model);
        break;
    }
}

void SilencePacket::encode_opus(std::span<const std::byte> model)
{
    const auto facts = opus_packet_facts(model);
    if (!facts)
        return;
    const auto toc = std::to_integer<unsigned>(model[0]) & ~0x03U;
    const bool is_single = facts->frames == 1;
    // Several frames of equal size: the lower bits of the TOC byte are set, a count follows.
    const std::array head{static_cast<std::byte>(is_single ? toc : toc | 0x03),
                          static_cast<std::byte>(facts->frames)};
    append(std::span(head).first(is_single ? 1 : 2));
    for (int i = 0; i < facts->frames; ++i)
        append(std::as_bytes(std::span(silent_frame(toc))));
}

bool is_silence_packet(std::span<const std::byte> packet, const OpusPacketFacts &facts)
{
    const std::size_t head = facts.frames == 1 ? 1 : 2;
    const auto frame = silent_frame(std::to_integer<unsigned>(packet[0]));
    return packet.size() == head + static_cast<std::size_t>(facts.frames) * frame.size() &&
           std::ranges::equal(packet, SilencePacket(Codec::opus, packet).bytes());
}

void SilencePacket::append(std::span<const std::byte> bytes)
{
    std::ranges::copy(bytes, std::span(storage_).subspan(size_).begin());
    size_ += bytes.size();
}

} // namespace jkvm
