// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/received_stream.h"

#include "core/base/overload.h"

#include <algorithm>
#include <utility>

namespace jkvm {

FrameSpacing ReceivedStream::spacing_of(TimestampMode mode)
{
    if (mode == TimestampMode::capture_even)
        return FrameSpacing::exact;
    return mode == TimestampMode::capture_stretched ? FrameSpacing::stretched
                                                    : FrameSpacing::slewed;
}

void ReceivedStream::begin_connection()
{
    stats_.connected = true;
    ++stats_.connects;
    config_ = default_format_;
    timeline_.expect_gap();
    captured_end_.reset();
    latency_.restart();
}

void ReceivedStream::end_connection(bool is_violation)
{
    stats_.connected = false;
    stats_.protocol_errors += is_violation ? 1 : 0;
    is_idle_ = true;
}

ReceivedStream::Outcome ReceivedStream::take(const wire::Message &message, const ClockPair &now)
{
    Outcome outcome;
    std::visit(Overload{
                   [&](const wire::OpusFrame &frame) { outcome = take_frame(frame, now); },
                   [&](const wire::Config &config) { config_ = config.stream; },
                   [&](const wire::Stop &) {
                       is_idle_ = has_stopped_ = true;
                       timeline_.expect_gap();
                   },
                   [](const wire::OpusConfig &) {},
                   [](const wire::Heartbeat &) {},
                   [](const wire::Ack &) {},
                   [](const wire::Unknown &) {},
               },
               message);
    return outcome;
}

ReceivedStream::Outcome ReceivedStream::take_frame(const wire::OpusFrame &frame,
                                                   const ClockPair &now)
{
    if (frame.packet.empty()) // legal: neither a frame nor a loss
        return {};
    is_idle_ = false;

    ++stats_.frames;
    stats_.bytes += frame.packet.size();
    stats_.last_frame = now.wall;
    const auto facts = packet_facts(config_.codec, frame.packet);
    if (!facts) {
        ++stats_.dropped_invalid;
        return Dropped{Dropped::Reason::invalid, nanoseconds(0)};
    }
    const auto duration = facts->duration;
    const auto captured = frame.captured;
    const bool has_timestamp = captured != WallTime{}; // v3 has none
    // The peer chose the timestamp: it may overflow in any calculation before this check.
    const bool is_plausible =
        captured <= now.wall + max_plausible_lead && captured >= now.wall - oldest_plausible;
    stats_.implausible_timestamps += has_timestamp && !is_plausible ? 1 : 0;
    if (is_plausible)
        stats_.latency.record(std::max(now.wall - captured, nanoseconds(0)));
    const bool is_by_capture = is_plausible && mode_ != TimestampMode::arrival;
    // Without a capture time: the first sample is at least as old as the frame is long.
    const auto begin = is_by_capture ? now.running_of(captured) : now.running - duration;
    captured_end_ = is_plausible ? std::optional(captured + duration) : std::nullopt;
    latency_.record(now.running - begin);
    if (begin < nanoseconds(0)) {
        ++stats_.dropped_early;
        return Dropped{Dropped::Reason::early, begin};
    }
    const auto stamp = is_by_capture ? timeline_.place(begin, duration, now.running)
                                     : timeline_.place_arrival(begin, duration);
    if (!stamp) {
        ++stats_.dropped_late;
        return Dropped{Dropped::Reason::late, begin};
    }
    const bool was_silence = std::exchange(was_silence_, facts->is_silence);
    const bool is_pause = std::exchange(has_stopped_, false) || was_silence || stamp->is_pause;
    const auto missing = static_cast<std::uint64_t>((stamp->missing + duration / 2) / duration);
    const auto lost = is_pause ? 0 : missing;
    stats_.lost += lost;
    return Frame{.packet = frame.packet,
                 .gap = stamp->gap,
                 .time = stamp->time,
                 .duration = stamp->duration,
                 .captured = has_timestamp ? std::optional(captured) : std::nullopt,
                 .discontinuity = stamp->discontinuity,
                 .is_quiet = facts->is_quiet,
                 .lost = lost};
}

bool ReceivedStream::pause(const Pause &pause)
{
    // The sender's timestamps of a frame's end and the pause's start agree up to rounding.
    constexpr std::chrono::milliseconds tolerance{5};
    if (is_idle_ || !captured_end_ || *captured_end_ >= pause.end)
        return true;
    if (*captured_end_ + tolerance < pause.start)
        return false;
    is_idle_ = has_stopped_ = true;
    timeline_.expect_gap();
    return true;
}

std::optional<Gap> ReceivedStream::announce_gap(nanoseconds running)
{
    // A frame in flight may be that much older.
    return is_idle_ ? timeline_.announce_gap(running - latency_.value()) : std::nullopt;
}

} // namespace jkvm
