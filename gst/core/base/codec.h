// SPDX-License-Identifier: LGPL-2.1-or-later
// The codecs of packets, on the wire and in buffers.
#pragma once

namespace jkvm {

/// A new codec is a new case in packet_facts(), and in codec_of_caps() and make_stream_caps().
enum class Codec { opus };

} // namespace jkvm
