// SPDX-License-Identifier: LGPL-2.1-or-later
// Encodes and decodes the messages of the side channel between two jkvm elements.
#pragma once

#include "core/wire/control.h"
#include "core/wire/source_state.h"

#include <span>
#include <variant>
#include <vector>

namespace jkvm::wire {

/// From a receiver: the settings that it requests from the sender's encoder. It replaces the
/// receiver's previous one; without a field, nothing is requested any more.
struct SettingsRequest {
    EncoderConfigFields config = {};
    std::optional<std::uint32_t> packet_loss_percentage = {}; ///< 0 to 100

    [[nodiscard]] bool is_empty() const { return *this == SettingsRequest(); }
    bool operator==(const SettingsRequest &) const = default;
};

/// A message to be skipped: its type is not known, or a value is out of its range.
struct UnknownSideMessage {
    bool operator==(const UnknownSideMessage &) const = default;
};

/// A SourceState is from a sender.
using SideMessage = std::variant<SettingsRequest, SourceState, UnknownSideMessage>;

/// Bytes of a message that a reader examines. What a newer version appends beyond is ignored.
inline constexpr std::size_t max_side_message = 256;

std::vector<std::byte> encode_side_message(const SettingsRequest &request);
/// A text that is not a nick is omitted.
std::vector<std::byte> encode_side_message(const SourceState &state);

/// Never fails. Fields beyond the end of the message are absent, and what follows the last known
/// field is ignored: the length is the version. A frame size without a rate is that at 48 kHz.
SideMessage decode_side_message(std::span<const std::byte> message);

} // namespace jkvm::wire
