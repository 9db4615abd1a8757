// SPDX-License-Identifier: LGPL-2.1-or-later
// Receives frames from one peer after another, together with the gaps between them: the engine of
// jkvmipcsrc.
#pragma once

#include "core/base/guarded.h"
#include "core/ipc/receive/frame_receiver.h"
#include "core/ipc/receive/received_stream.h"
#include "core/stats/latency_watch.h"

#include <atomic>
#include <functional>
#include <memory>
#include <variant>

namespace jkvm {

/// The streaming thread calls next(); open() and close() are called while it does not run. The
/// other functions may be called from any thread.
class ReceiveEngine {
public:
    /// Interval between gaps while no frames are expected.
    static constexpr nanoseconds gap_interval = std::chrono::milliseconds(100);
    /// How long gaps are withheld after a connection was made: the first frame may have been
    /// captured before the end of the next gap.
    static constexpr nanoseconds first_frame_timeout = std::chrono::seconds(1);

    struct Config {
        FrameReceiver::Config receiver;
        TimestampMode timestamp_mode = TimestampMode::capture;
    };

    /// Statistics of the session, kept after close().
    struct Stats {
        ReceivedStream::Stats stream;
        std::optional<wire::Dialect> dialect; ///< of the peer, once it is known
        BufferSizes buffers;
        double drift_ppm = 0;                    ///< as ReceivedStream::drift_ppm
        int waiting = 0;                         ///< unread in the socket at the last read (bytes)
        std::uint64_t rejects = 0;               ///< clients turned away
        std::uint64_t disconnects = 0;           ///< connections that ended before close()
        std::uint64_t requests_unsupported = 0;  ///< as FrameReceiver::unsupported_requests
        std::optional<wire::SourceState> source; ///< of the connected sender, if it reports it
    };

    struct Connected {
        PeerInfo peer;
        bool is_replacement; ///< a newer client replaced the previous one
    };
    /// An attempt to connect failed; next() tries again after a pause.
    struct Unreachable {
        Error error;
    };
    /// A client, or a server of another user, was turned away.
    struct Rejected {
        Error error;
        wire::CloseReason reason;
    };
    struct Disconnected {
        Error error;
        bool is_violation;                       ///< the peer violated the protocol
        std::optional<wire::CloseReason> reason; ///< if the server turned this end away
    };
    /// The sender ended its session with a Stop.
    struct SessionEnded {};
    /// The sender reported the state of its source.
    struct SourceChanged {
        wire::SourceState state;
    };
    /// interrupt() was called.
    struct Interrupted {};
    using Frame = ReceivedStream::Frame;
    using Dropped = ReceivedStream::Dropped;
    /// The packet of a Frame is valid until the next call of next().
    using Event = std::variant<Frame, Gap, Dropped, Connected, Unreachable, Rejected, Disconnected,
                               SessionEnded, SourceChanged, Interrupted>;

    /// Errors: as FrameReceiver::open, and `out_of_resources`.
    Status open(Config config);
    void close();

    /// Blocks until the next event. `read_clocks` is called on the same thread.
    Event next(const std::function<ClockPair()> &read_clocks);

    /// Makes next() return Interrupted until resume() is called.
    void interrupt() { control_.interrupt(); }
    void resume() { control_.resume(); }
    /// Replaces the connection by a new one, because the frames sent so far are outdated.
    void restart() { control_.request_restart(); }
    /// Makes the next frame start a new timeline, for example after a flush.
    void restart_timeline() { received_.lock()->stream.restart_timeline(); }
    /// The sender has announced that it sends no frames for now. Any thread. Takes effect once the
    /// frames before the pause have arrived, unless one from after it has.
    void announce_pause(const Pause &pause);
    /// As ReceiverControl.
    void request_encoder(const wire::EncoderConfig &config) { control_.request_encoder(config); }
    void withdraw_request(const wire::EncoderConfig &config) { control_.withdraw_request(config); }
    void request_settings(const wire::SettingsRequest &request)
    {
        control_.request_settings(request);
    }

    /// The format that the sender announced, or the default.
    [[nodiscard]] wire::StreamConfig stream_config() const;
    /// Number of encoder requests that could not be sent, see Stats::requests_unsupported.
    [[nodiscard]] std::uint64_t requests_unsupported() const { return requests_unsupported_; }
    /// The latency to report to the pipeline.
    [[nodiscard]] nanoseconds latency() const { return latency_; }
    [[nodiscard]] Stats stats() const;
    /// Returns the new level of the frames' latency if it changed.
    std::optional<LatencyWatch::Change> update(LatencyWatch &watch,
                                               const LatencyThresholds &thresholds) const
    {
        return watch.update(received_.lock()->stream.stats().latency, thresholds, monotonic_now());
    }

private:
    struct Received {
        ReceivedStream stream;
        Stats rest; ///< without `stream`
    };

    /// While frames are away: the next gap, if it is due.
    std::optional<Gap> take_due_gap(const std::function<ClockPair()> &read_clocks);
    /// Waits for the receiver once, until `deadline` at the latest; nothing if that changed nothing
    /// for the caller.
    std::optional<Event> wait(const std::function<ClockPair()> &read_clocks,
                              MonotonicTime deadline);
    Event on_connected();
    Event on_disconnected();
    std::optional<Event> on_message(const ClockPair &now);
    void apply_announced_pause();

    ReceiverControl control_;
    Guarded<std::optional<Pause>> announced_pause_;
    Guarded<Received> received_; // changed by the streaming thread only
    std::atomic<nanoseconds> latency_{nanoseconds(0)};
    std::atomic<std::uint64_t> requests_unsupported_{0};
    // Between open() and close(), streaming thread.
    std::unique_ptr<FrameReceiver> receiver_;
    bool has_waited_ = false; // since open(): a gap may be due
    bool is_connected_ = false;
    bool is_server_expected_ = false; // after restart(): the server was reachable before
    MonotonicTime next_gap_{};
};

} // namespace jkvm
