// SPDX-License-Identifier: LGPL-2.1-or-later
// Describes jkvmaudiosrc to the elements downstream.
#pragma once

#include "capture/capture_engine.h"
#include "core/opus/codec_control.h"
#include "core/wire/source_state.h"

namespace jkvm {

wire::SourceState describe_source(const CaptureEngine::Device &device, bool is_muted,
                                  const CodecControl &codec);

} // namespace jkvm
