// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/decode.h"

#include "core/base/overload.h"
#include "core/wire/dialect.h"

namespace jkvm::wire {

namespace {

Message decode_stop(const RawMessage &raw)
{
    if (raw.payload.empty())
        return Stop{};
    const auto reason = CloseReason{std::to_integer<std::uint8_t>(raw.payload[0])};
    if (*name_of(reason) != '\0')
        return Stop{reason};
    return Unknown{raw.type_code};
}

} // namespace

Message decode(const RawMessage &raw)
{
    const Unknown unknown{raw.type_code};
    if (!is_payload_size(raw.type, raw.payload.size()))
        return unknown;
    switch (raw.type) {
    case MessageType::opus_frame:
        return OpusFrame{raw.payload, raw.timestamp};
    case MessageType::config:
        if (const auto stream = StreamConfig::decode(raw.payload))
            return Config{*stream};
        return unknown;
    case MessageType::opus_config:
        if (const auto encoder = EncoderConfig::decode(raw.payload))
            return OpusConfig{*encoder};
        return unknown;
    case MessageType::stop:
        return decode_stop(raw);
    case MessageType::heartbeat:
        return Heartbeat{};
    case MessageType::ack:
        return Ack{};
    case MessageType::unknown:
        break;
    }
    return unknown;
}

bool requires_ack(const Message &message)
{
    return std::visit(Overload{
                          [](const OpusFrame &) { return false; },
                          [](const Config &) { return true; },
                          [](const OpusConfig &) { return true; },
                          [](const Stop &) { return false; },
                          [](const Heartbeat &) { return true; },
                          [](const Ack &) { return false; },
                          [](const Unknown &) { return false; },
                      },
                      message);
}

} // namespace jkvm::wire
