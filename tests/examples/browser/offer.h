// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the SDP offer of a client.
#pragma once

#include "glib_types.h"

#include <optional>
#include <string_view>

namespace jkvm::browser {

/// Whether a client receives or sends the audio.
enum class MediaDirection { receive, send };

struct Offer {
    SdpPtr sdp;
    int payload_type; ///< of Opus
};

/// Returns nothing if the text is not an SDP offer, or offers no Opus audio in this direction.
std::optional<Offer> parse_offer(std::string_view text, MediaDirection direction);

} // namespace jkvm::browser
