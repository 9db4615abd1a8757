// SPDX-License-Identifier: LGPL-2.1-or-later
// The state of an audio source as its receivers see it.
#pragma once

#include "core/base/time.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jkvm::wire {

/// A field without a value is not known: the source does not have it, or is an older version.
struct SourceState {
    /// Maximum length of a nick (characters); it consists of lower-case letters, digits and '-'.
    static constexpr std::size_t max_nick = 16;
    /// Whether the text is empty or a nick.
    static bool is_nick(std::string_view text);

    // Nicks of the message jkvm-device; empty = not known.
    std::string device_state = {}; ///< search, open, run, lost
    std::string reason = {};       ///< why no device works, or none

    std::optional<bool> muted = {};

    // The encoder settings in effect.
    std::string quality = {}; ///< nick of a preset, or custom; empty = not known
    std::optional<std::uint32_t> bitrate = {};
    std::optional<std::uint32_t> complexity = {};
    std::optional<nanoseconds> frame = {};
    std::optional<bool> dtx = {};
    std::optional<std::uint32_t> packet_loss_percentage = {};
    std::string decided_by = {}; ///< properties or request; empty = not known

    /// Number of receivers of the jkvmipcsink that reports the state.
    std::optional<std::uint32_t> listeners = {};

    bool operator==(const SourceState &) const = default;
};

} // namespace jkvm::wire
