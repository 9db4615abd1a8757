// SPDX-License-Identifier: LGPL-2.1-or-later
// Opus packets to be played by benchmarks.
#pragma once

#include <vector>

namespace jkvm::benchmark {

/// Encodes one second of stereo audio, with different content in the two channels, to packets of
/// 20 ms at 128 kbit/s.
std::vector<std::vector<unsigned char>> make_opus_packets();

} // namespace jkvm::benchmark
