// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/received_stream.h"

#include "core/base/overload.h"

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
    std::optional<Frame> frame;
    std::visit(Overload{
                   [&](const wire::OpusFrame &opus) {
                       frame = take_frame(Codec::opus, opus.packet, opus.captured, now);
                   },
                   [&](const wire::Config &config) { config_ = config.stream; },
                   [&](const wire::Stop &) {
                       is_away_ = has_stopped_ = true;
                       timeline_.expect_hole();
                   },
                   [](const wire::OpusConfig &) {},
                   [](const wire::Heartbeat &) {},
                   [](const wire::Ack &) {},
                   [](const wire::Unknown &) {},
               },
               message);
    return frame;
}

std::optional<ReceivedStream::Frame> ReceivedStream::take_frame(Codec codec,
                                                                std::span<const std::byte> packet,
                                                                WallTime captured,
                                                                const ClockPair &now)
{
    if (packet.empty()) // legal, and carries nothing
        return std::nullopt;
    is_away_ = false;

    ++stats_.frames;
    stats_.bytes += packet.size();
    stats_.last_frame = now.wall;
    const auto facts = packet_facts(codec, packet);
    if (!facts) {
        ++stats_.dropped_invalid;
        return std::nullopt;
    }
    const auto duration = facts->duration;
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
    return Frame{.packet = packet,
                 .gap = stamp->gap,
                 .time = stamp->time,
                 .duration = duration,
                 .captured = has_timestamp ? std::optional(captured) : std::nullopt,
                 .discontinuity = stamp->discontinuity};
}

std::optional<Gap> ReceivedStream::announce_gap(nanoseconds running)
{
    // What is on its way may be that much older.
    return is_away_ ? timeline_.announce_gap(running - latency_.value()) : std::nullopt;
}

} // namespace jkvm
