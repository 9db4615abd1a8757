// SPDX-License-Identifier: LGPL-2.1-or-later
// What the messages of one sender after another amount to: a stream of Opus frames on the
// receiver's time line.
#pragma once

#include "core/opus/packet_facts.h"
#include "core/stats/latency_monitor.h"
#include "core/timing/receive_timeline.h"
#include "core/timing/source_latency_report.h"
#include "core/wire/decode.h"

#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// What says where a frame belongs on the time line.
enum class TimestampMode {
    capture, ///< the capture time that the sender sent, if it is plausible
    arrival, ///< when it arrived
};

/// Thread-bound; the statistics are a value to be copied out.
class ReceivedStream {
public:
    /// Beyond that a difference between a frame's capture time and the end of the last frame is a
    /// hole, not jitter.
    static constexpr nanoseconds hole_tolerance = std::chrono::milliseconds(40);
    /// A capture time older than this, or in the future, was not taken from a clock that agrees
    /// with ours.
    static constexpr nanoseconds oldest_plausible = std::chrono::seconds(10);
    /// Before the first frame: the usual frame, and what its encoder looks ahead.
    static constexpr nanoseconds usual_latency = std::chrono::microseconds(26500);

    /// Counters only grow.
    struct Stats {
        bool connected = false;
        std::uint64_t connects = 0;
        std::uint64_t protocol_errors = 0;        ///< connections that ended by a violation
        std::uint64_t frames = 0;                 ///< messages with an Opus frame
        std::uint64_t bytes = 0;                  ///< in these frames
        std::uint64_t dropped_invalid = 0;        ///< of these: no Opus packet
        std::uint64_t dropped_early = 0;          ///< of these: captured before running time 0
        std::uint64_t dropped_late = 0;           ///< of these: their time was over
        std::uint64_t lost = 0;                   ///< frames missing, by the length of the holes
        std::uint64_t implausible_timestamps = 0; ///< in the future or too old; the arrival counts
        WallTime last_frame{};                    ///< when the last one arrived
        LatencyMonitor latency;                   ///< from the capture of the first sample on
    };
    struct Frame {
        std::span<const std::byte> packet; ///< of the message
        std::optional<Gap> gap;            ///< comes before it
        nanoseconds time;                  ///< running time of the first sample
        nanoseconds duration;
        std::optional<WallTime> captured; ///< as the sender says, where the dialect has that
        bool discontinuity;
    };

    explicit ReceivedStream(TimestampMode mode = TimestampMode::capture) : mode_(mode) {}

    void begin_connection();
    void end_connection(bool is_violation);
    /// The pipeline's running time begins anew.
    void restart_time_line() { timeline_.reset(); }
    /// Nothing for what is not a frame to be played. `now`: when it arrived.
    std::optional<Frame> take(const wire::Message &message, const ClockPair &now);
    /// What of the time until `running` stays empty and was not announced before, while there is no
    /// sender or it has stopped. A frame that comes later stands behind it.
    std::optional<Gap> announce_gap(nanoseconds running);

    /// No sender, or one that has not begun yet or has stopped.
    [[nodiscard]] bool is_away() const { return is_away_; }
    /// The sender ended its session with a Stop, and no frame has followed yet.
    [[nodiscard]] bool has_stopped() const { return has_stopped_; }
    /// What the sender said of its stream, or the usual one.
    [[nodiscard]] const wire::StreamConfig &config() const { return config_; }
    /// To be reported to the pipeline.
    [[nodiscard]] nanoseconds latency() const { return latency_.value(); }
    [[nodiscard]] const Stats &stats() const { return stats_; }

private:
    std::optional<Frame> take_frame(Codec codec, std::span<const std::byte> packet,
                                    WallTime captured, const ClockPair &now);

    TimestampMode mode_;
    ReceiveTimeline timeline_{hole_tolerance};
    SourceLatencyReport latency_{usual_latency};
    wire::StreamConfig config_;
    bool is_away_ = true;
    bool has_stopped_ = false; // the hole before the next frame is no loss
    Stats stats_;
};

} // namespace jkvm
