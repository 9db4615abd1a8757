// SPDX-License-Identifier: LGPL-2.1-or-later
// What both IPC elements offer in common.
#pragma once

namespace jkvm {

/// Where the capture process of a JetKVM listens.
inline constexpr const char *default_output_socket = "/var/run/audio_output.sock";

/// One Opus packet a buffer, as opusenc, opusparse and rtpopusdepay make them.
#define JKVM_OPUS_CAPS "audio/x-opus, channel-mapping-family = (int) 0"

} // namespace jkvm
