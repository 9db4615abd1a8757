// SPDX-License-Identifier: LGPL-2.1-or-later
// Decodes arbitrary bytes as a message of the side channel. Every value of the result is in its
// range, and encoding the result yields a message with the same content.
#include "check.h"
#include "core/ipc/send/combined_request.h"
#include "core/wire/side_message.h"

#include <algorithm>

namespace jkvm::fuzz {

namespace {

void check_request(const wire::SettingsRequest &request)
{
    check(request.config.applied_to({}).is_valid(), "a request has valid values only");
    check(request.packet_loss_percentage.value_or(0) <= 100, "the loss is a percentage");
    check(combine_requests(request, request) == request, "a request is combined with itself");
    const auto combined = combine_requests(request, {.config = wire::EncoderConfig().fields()});
    check(combined.config.applied_to({}).is_valid(), "combined requests are valid");
}

void check_state(const wire::SourceState &state)
{
    for (const auto &text : {state.device_state, state.reason, state.quality, state.decided_by})
        check(wire::SourceState::is_nick(text), "a text is a nick");
    check(state.bitrate.value_or(0) <= 0x7FFFFFFF, "the bitrate fits into a gint");
    check(state.complexity.value_or(0) <= 10, "the complexity is one of Opus");
}

void run(std::span<const std::byte> bytes)
{
    const auto message = wire::decode_side_message(bytes);
    std::vector<std::byte> again;
    if (const auto *request = std::get_if<wire::SettingsRequest>(&message)) {
        check_request(*request);
        again = wire::encode_side_message(*request);
    } else if (const auto *state = std::get_if<wire::SourceState>(&message)) {
        check_state(*state);
        again = wire::encode_side_message(*state);
    } else {
        return;
    }
    check(again.size() <= wire::max_side_message, "no message exceeds the limit");
    check(wire::decode_side_message(again) == message, "re-encoding preserves the content");
    again.resize(again.size() + 10, std::byte(0xFF));
    check(wire::decode_side_message(again) == message, "an appended tail is ignored");
}

} // namespace

} // namespace jkvm::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    jkvm::fuzz::run(std::as_bytes(std::span(data, size)));
    return 0;
}
