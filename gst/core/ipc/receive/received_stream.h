// SPDX-License-Identifier: LGPL-2.1-or-later
// Places the frames of one sender after another on the receiver's timeline and counts losses.
#pragma once

#include "core/opus/packet_facts.h"
#include "core/stats/latency_monitor.h"
#include "core/timing/receive_timeline.h"
#include "core/timing/source_latency_report.h"
#include "core/wire/decode.h"

#include <cstdint>
#include <optional>
#include <span>
#include <variant>

namespace jkvm {

/// A time in which the sender has no audio.
struct Pause {
    WallTime start;
    WallTime end;
};

/// Source of a frame's timestamp.
enum class TimestampMode {
    capture,           ///< the capture time sent with the frame, if it is plausible
    arrival,           ///< the frame's arrival
    capture_even,      ///< as capture, but with FrameSpacing::exact
    capture_stretched, ///< as capture, but with FrameSpacing::stretched
};

/// Thread-bound; the statistics can be copied out.
class ReceivedStream {
public:
    /// A capture time that is later than the end of the previous frame by more than this shows a
    /// gap; a smaller difference is jitter.
    static constexpr nanoseconds gap_tolerance = std::chrono::milliseconds(40);
    /// Capture times outside these limits were not taken from this host's wall clock. A capture
    /// time may be in the future, because relays such as rtpjitterbuffer pass frames on early.
    static constexpr nanoseconds oldest_plausible = std::chrono::seconds(10);
    static constexpr nanoseconds max_plausible_lead = std::chrono::seconds(1);
    /// Latency reported before the first frame: a frame of 20 ms and its encoder's look-ahead.
    static constexpr nanoseconds default_latency = std::chrono::microseconds(26500);

    /// Counters never decrease.
    struct Stats {
        bool connected = false;
        std::uint64_t connects = 0;
        std::uint64_t protocol_errors = 0; ///< connections closed for a violation
        std::uint64_t frames = 0;          ///< Opus frames received
        std::uint64_t bytes = 0;           ///< Opus data in these frames
        std::uint64_t dropped_invalid = 0; ///< of these frames: not a packet of the codec
        std::uint64_t dropped_early = 0;   ///< of these: captured before running time 0
        std::uint64_t dropped_late = 0;    ///< of these: they arrived too late for their position
        std::uint64_t lost = 0;            ///< missing frames, from the length of the gaps
        std::uint64_t implausible_timestamps = 0; ///< replaced by the frame's arrival
        WallTime last_frame{};                    ///< arrival of the last frame
        LatencyMonitor latency;                   ///< from the capture of the first sample
    };
    struct Frame {
        std::span<const std::byte> packet; ///< of the message
        std::optional<Gap> gap;            ///< precedes the frame, if it was not announced before
        nanoseconds time;                  ///< running time of the first sample
        nanoseconds duration;
        std::optional<WallTime> captured; ///< as sent, in dialects with timestamps
        bool discontinuity;
        bool is_quiet;      ///< as PacketFacts::is_quiet
        std::uint64_t lost; ///< frames missing before this one
    };
    /// A dropped frame and the reason.
    struct Dropped {
        enum class Reason { invalid, early, late };
        Reason reason;
        nanoseconds time; ///< its running time; 0 if invalid
    };
    /// std::monostate: the message was not a frame.
    using Outcome = std::variant<std::monostate, Frame, Dropped>;

    /// `default_format`: of a sender that announces none.
    explicit ReceivedStream(TimestampMode mode = TimestampMode::capture,
                            const wire::StreamConfig &default_format = {})
        : mode_(mode), default_format_(default_format), config_(default_format),
          timeline_(gap_tolerance, spacing_of(mode))
    {}

    void begin_connection();
    void end_connection(bool is_violation);
    /// Starts a new timeline after the pipeline's running time restarted.
    void restart_timeline() { timeline_.reset(); }
    /// `now`: arrival of the message.
    Outcome take(const wire::Message &message, const ClockPair &now);
    /// The sender has announced a pause: until the next frame, the stream is idle. Returns false if
    /// the frames before the pause have not arrived yet; has no effect if one after it has.
    bool pause(const Pause &pause);
    /// While there is no sender, or it has stopped: returns the part of the time until `running`
    /// that stays empty and was not announced before. Later frames are placed after it.
    std::optional<Gap> announce_gap(nanoseconds running);

    /// Whether there is no sender, or it has not sent a frame yet, or it has stopped or paused.
    [[nodiscard]] bool is_idle() const { return is_idle_; }
    /// Whether the sender ended its session with a Stop and no frame has followed yet.
    [[nodiscard]] bool has_stopped() const { return has_stopped_; }
    /// The format that the sender announced, or the default.
    [[nodiscard]] const wire::StreamConfig &config() const { return config_; }
    /// The latency to report to the pipeline.
    [[nodiscard]] nanoseconds latency() const { return latency_.value(); }
    /// How much faster the sender's sample clock runs than its capture times (ppm).
    [[nodiscard]] double drift_ppm() const { return timeline_.drift_ppm(); }
    [[nodiscard]] const Stats &stats() const { return stats_; }

private:
    static FrameSpacing spacing_of(TimestampMode mode);
    Outcome take_frame(const wire::OpusFrame &frame, const ClockPair &now);

    TimestampMode mode_;
    wire::StreamConfig default_format_;
    wire::StreamConfig config_;
    ReceiveTimeline timeline_;
    SourceLatencyReport latency_{default_latency};
    std::optional<WallTime> captured_end_; // of the last frame of this connection
    bool is_idle_ = true;
    bool has_stopped_ = false; // the gap before the next frame is a pause
    bool was_silence_ = false; // the last frame: DTX may omit the frames after it
    Stats stats_;
};

} // namespace jkvm
