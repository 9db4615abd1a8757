// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/received_stream.h"

#include "core/opus/opus_packet.h"

#include <utility>

namespace jkvm {

void ReceivedStream::begin_connection()
{
    stats_.connected = true;
    ++stats_.connects;
    config_ = {};
    timeline_.expect_hole();
    latency_.restart();
}

void ReceivedStream::end_connection(bool is_violation)
{
    stats_.connected = false;
    stats_.protocol_errors += is_violation ? 1 : 0;
    is_away_ = true;
}

std::optional<ReceivedStream::Frame> ReceivedStream::take(const wire::Message &message,
                                                          const ClockPair &now)
{
    if (message.type != wire::MessageType::opus_frame) {
        take_control(message);
        return std::nullopt;
    }
    if (message.payload.empty()) // legal, and carries nothing
        return std::nullopt;
    is_away_ = false;

    ++stats_.frames;
    stats_.bytes += message.payload.size();
    stats_.last_frame = now.wall;
    const auto facts = opus_packet_facts(message.payload);
    if (!facts) {
        ++stats_.dropped_invalid;
        return std::nullopt;
    }
    const auto duration = facts->duration();
    const auto captured = message.timestamp;
    const bool has_timestamp = captured != WallTime{}; // v3 has none
    // The other end decides what stands in the message, so there is no arithmetic with it before
    // this.
    const bool is_plausible = captured <= now.wall && captured >= now.wall - oldest_plausible;
    stats_.implausible_timestamps += has_timestamp && !is_plausible ? 1 : 0;
    // The first sample cannot be younger than the frame is long.
    const auto arrived = now.running - duration;
    if (is_plausible)
        stats_.latency.record(now.wall - captured);
    const bool is_by_capture = is_plausible && mode_ == TimestampMode::capture;
    const auto begin = is_by_capture ? now.running_of(captured) : arrived;
    latency_.record(now.running - begin);
    if (begin < nanoseconds(0)) {
        ++stats_.dropped_early;
        return std::nullopt;
    }
    const auto stamp =
        is_by_capture ? timeline_.place(begin, duration) : timeline_.place_arrival(begin, duration);
    if (!stamp) {
        ++stats_.dropped_late;
        return std::nullopt;
    }
    if (!std::exchange(has_stopped_, false))
        stats_.lost += static_cast<std::uint64_t>(stamp->hole / duration);
    return Frame{.packet = message.payload,
                 .gap = stamp->gap,
                 .time = stamp->time,
                 .duration = duration,
                 .captured = has_timestamp ? std::optional(captured) : std::nullopt,
                 .discontinuity = stamp->discontinuity};
}

void ReceivedStream::take_control(const wire::Message &message)
{
    if (message.type == wire::MessageType::stop) {
        is_away_ = has_stopped_ = true;
        timeline_.expect_hole();
    } else if (message.type == wire::MessageType::config) {
        if (const auto config = wire::StreamConfig::decode(message.payload))
            config_ = *config;
    }
}

std::optional<Gap> ReceivedStream::announce_gap(nanoseconds running)
{
    // What is on its way may be that much older.
    return is_away_ ? timeline_.announce_gap(running - latency_.value()) : std::nullopt;
}

} // namespace jkvm
