// SPDX-License-Identifier: LGPL-2.1-or-later
// Which dialect a peer speaks, from its first bytes: the protocol has no hello and no version.
#pragma once

#include "core/wire/header.h"

namespace jkvm::wire {

enum class HeaderForm {
    need_more,  ///< the bytes do not tell yet
    long_form,  ///< 17 bytes: v1 or v2
    short_form, ///< 9 bytes: v3
    neither,    ///< not this protocol
};

/// Looks at the first message and the beginning of the second. The answer does not depend on how
/// the stream was cut: fewer bytes give the same one, or need_more.
HeaderForm recognize_header(Direction direction, std::span<const std::byte> bytes);

/// Whether a message with a long header shows that its sender speaks v2: v1 has no OpusConfig, no
/// Heartbeat with a payload (the number of v2's Stop), and one type less.
bool is_sign_of_v2(const Header &header);

} // namespace jkvm::wire
