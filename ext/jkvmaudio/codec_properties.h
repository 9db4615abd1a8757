// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmaudiosrc that configure the encoder, named as those of opusenc.
#pragma once

#include "common/property_table.h"
#include "core/opus/codec_control.h"

namespace jkvm {

const PropertyTable<CodecControl> &codec_properties();

} // namespace jkvm
