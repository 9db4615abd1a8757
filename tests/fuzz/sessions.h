// SPDX-License-Identifier: LGPL-2.1-or-later
// Declares the two sides of a connection that the target fuzz_session tests against a peer that
// sends arbitrary bytes.
#pragma once

#include "stream_input.h"

namespace jkvm::fuzz {

void run_receiver(StreamInput input);
void run_sender(StreamInput input);

} // namespace jkvm::fuzz
