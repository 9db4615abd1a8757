// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the SDP offer of a viewer.
#pragma once

#include "glib_types.h"

#include <optional>
#include <string_view>

namespace jkvm::browser {

struct Offer {
    SdpPtr sdp;
    int payload_type; ///< of Opus
};

/// Returns nothing if the text is not an SDP offer, or offers to receive no Opus audio.
std::optional<Offer> parse_offer(std::string_view text);

} // namespace jkvm::browser
