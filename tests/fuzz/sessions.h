// SPDX-License-Identifier: LGPL-2.1-or-later
// The two ends of a connection that the target fuzz_session plays against a peer that says
// anything.
#pragma once

#include "stream_input.h"

namespace jkvm::fuzz {

void run_receiver(StreamInput input);
void run_sender(StreamInput input);

} // namespace jkvm::fuzz
