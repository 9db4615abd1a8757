// SPDX-License-Identifier: LGPL-2.1-or-later
// Recognises the dialect of a peer from its first bytes: the protocol has no version number.
#pragma once

#include "core/wire/header.h"

namespace jkvm::wire {

enum class HeaderForm {
    need_more,  ///< too few bytes to decide
    long_form,  ///< 17 bytes: v1 or v2
    short_form, ///< 9 bytes: v3
    neither,    ///< not this protocol
};

/// Examines the first message and the beginning of the second. For fewer bytes of the same stream
/// the result is the same, or need_more.
HeaderForm recognize_header(Direction direction, std::span<const std::byte> bytes);

/// Whether a message with a long header shows that its sender speaks v2: its type and length are
/// those of a message of v2, but of none of v1.
bool is_sign_of_v2(const Header &header);

} // namespace jkvm::wire
