// SPDX-License-Identifier: LGPL-2.1-or-later
// A whole session with a peer that says anything: what is received, answered, sent meanwhile, and
// how it ends.
#include "check.h"
#include "sessions.h"

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const jkvm::fuzz::StreamInput input(std::as_bytes(std::span(data, size)));
    if (input.is_sender())
        jkvm::fuzz::run_sender(input);
    else
        jkvm::fuzz::run_receiver(input);
    return 0;
}
