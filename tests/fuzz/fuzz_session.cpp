// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes a whole session with a peer that sends arbitrary bytes: the received messages, the
// answers, the messages sent in the meantime, and the end of the connection.
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
