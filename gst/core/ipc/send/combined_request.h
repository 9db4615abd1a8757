// SPDX-License-Identifier: LGPL-2.1-or-later
// Combines the requests of several receivers, which share one encoder.
#pragma once

#include "core/wire/side_message.h"

namespace jkvm {

/// Returns the settings that satisfy both requests, field by field: the lowest bitrate, complexity
/// and bandwidth, the longest frame, DTX if one requests it, the highest expected loss. A field
/// that only one of them names is taken from that one, and of the others those of `first`.
wire::SettingsRequest combine_requests(const wire::SettingsRequest &first,
                                       const wire::SettingsRequest &second);

} // namespace jkvm
