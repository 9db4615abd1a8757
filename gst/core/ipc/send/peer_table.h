// SPDX-License-Identifier: LGPL-2.1-or-later
// The connected peers of a FrameSender, and the statistics over all of them.
#pragma once

#include "core/ipc/send/event_poll.h"
#include "core/ipc/send/frame_hold.h"
#include "core/ipc/send/peer.h"
#include "core/ipc/send/peer_dialogue.h"
#include "core/ipc/send/peer_side_channel.h"
#include "core/ipc/socket/connection.h"
#include "core/stats/latency_monitor.h"

#include <map>

namespace jkvm {

/// Reason for the removal of a peer, or for turning a client away. A server that turns this end
/// away sends one of the same reasons.
enum class RemovalReason {
    closed,    ///< the connection ended
    violation, ///< the peer sent something that is not this protocol
    slow,      ///< the peer lost too many frames in a row, or read nothing for too long
    replaced,  ///< a newer client is served instead
    too_many,  ///< the maximum number of clients is connected
    forbidden, ///< its user is not allowed, or the application refused it
    ended,     ///< this end was stopped
};

struct PeerStats {
    PeerInfo info;
    Peer::Counters sent;
    nanoseconds queued{0};
    std::size_t queued_frames = 0;
    BufferSizes buffers;
    int send_buffer_used = 0;                             ///< bytes, as the kernel counts them
    std::optional<wire::SettingsRequest> encoder_request; ///< until it is withdrawn
    bool may_steer = true;                                ///< whether its encoder request counts
    bool has_side_channel = false;
};

/// Every counter only grows while the sender lives.
struct SenderStats {
    std::uint64_t frames = 0;  ///< passed to FrameSender::send()
    std::uint64_t bytes = 0;   ///< of payload in these frames
    std::uint64_t unheard = 0; ///< of these frames: no peer was connected
    // Frames that a peer did not receive, over all peers.
    std::uint64_t dropped_queue_full = 0;   ///< the oldest, because too much was queued
    std::uint64_t dropped_disconnected = 0; ///< still queued when the connection ended
    std::uint64_t connects = 0;             ///< connections made
    std::uint64_t rejects = 0;              ///< clients turned away
    std::uint64_t protocol_errors = 0;      ///< peers disconnected for a protocol violation
    std::uint64_t slow_peers = 0;           ///< peers disconnected for being too slow
    std::uint64_t disconnects = 0;          ///< connections that ended before stop()
    nanoseconds sending{0};                 ///< time spent in FrameSender::send()
    WallTime last_frame{};                  ///< time of the last call of FrameSender::send()
    LatencyMonitor latency;                 ///< from capture of the first sample to send()
    LatencyHistogram delivery;              ///< from capture to the kernel, over all peers
    std::vector<PeerStats> peers;           ///< connected now
    std::optional<wire::SettingsRequest> encoder_request; ///< of all peers, combined
};

/// Not thread-safe: FrameSender guards it. The poll outlives it; its token for a peer is the peer's
/// id, which starts at 1, and for a peer's side channel the same with the bit side_channel_token.
class PeerTable {
public:
    /// A peer that lost this many frames in a row is too slow.
    static constexpr unsigned max_dropped_in_a_row = 50;
    /// A peer that read nothing for this long, while messages are queued for it, is too slow.
    static constexpr nanoseconds max_stall = std::chrono::seconds(2);
    /// Minimum interval between reports of the source's state to all peers.
    static constexpr nanoseconds min_state_interval = std::chrono::milliseconds(20);
    static constexpr std::uint64_t side_channel_token = std::uint64_t{1} << 62;

    /// `hold_time`: duration of the frames that are held while no peer is connected, for the next
    /// one; 0 = none. `steering_uids`: users of the peers whose encoder requests count; empty =
    /// all.
    PeerTable(EventPoll &poll, wire::Format format, nanoseconds max_queue_time,
              nanoseconds hold_time, std::vector<uid_t> steering_uids)
        : poll_(poll), format_(format), max_queue_time_(max_queue_time), held_(hold_time),
          steering_uids_(std::move(steering_uids))
    {}

    struct SendResult {
        bool needs_service = false; ///< service_peers() has to be called
        unsigned dropped = 0;       ///< frames that peers lost because too much was queued
    };
    struct Removal {
        PeerInfo peer;
        RemovalReason reason;
        std::string detail;       ///< for the debug text; may be empty
        bool has_stopped = false; ///< the peer announced the end with a Stop
        std::optional<PeerInfo> replaced_by = {};
    };

    /// Returns false if the poll cannot take another descriptor; the connection is then closed.
    bool add(const PeerInfo &info, UniqueFd connection, BufferSizes buffers);
    /// Closes the connection and counts the frames that were lost with it. A replaced peer receives
    /// that reason first.
    void remove(const Removal &removal);
    [[nodiscard]] std::size_t size() const { return peers_.size(); }
    [[nodiscard]] std::vector<PeerInfo> infos() const;

    /// Sends a frame to every peer. Never blocks. A peer whose connection is broken is shut down;
    /// the poll reports it then.
    SendResult send(std::span<const std::byte> packet, WallTime captured, nanoseconds duration,
                    MonotonicTime now, WallTime wall);
    /// On the microphone path: announces the format of the stream, now and to each peer that is
    /// added later.
    void set_stream(const wire::StreamConfig &stream);
    /// Sets the state of the source that peers with a side channel are told: a peer that is added,
    /// at once, the others by service_peers(). The number of listeners is filled in.
    void set_source_state(const wire::SourceState &state);

    /// Continues the writes that the kernel can accept now, and reports a change of the source's
    /// state. Returns the peers that have to be removed because their connection is broken or they
    /// are too slow.
    std::vector<Removal> service_peers(MonotonicTime now);
    /// When service_peers() has to run again without an event; nothing if it need not.
    [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const;

    struct EventResult {
        PeerDialogue::ReadResult read;
        bool has_new_request = false;   ///< the peer sent an encoder request that counts
        std::optional<Removal> removal; ///< the peer has to be removed
    };
    /// Handles an event of the poll; nothing for a peer that was removed meanwhile.
    std::optional<EventResult> on_event(std::uint64_t token, std::uint32_t events);

    /// The settings that satisfy the requests of all peers that may steer (combine_requests).
    /// Nothing if none of them requests anything.
    [[nodiscard]] std::optional<wire::SettingsRequest> encoder_request() const;

    /// Writes the queued messages, followed by a Stop on the microphone path. Blocks until
    /// `deadline` at most.
    void finish(MonotonicTime deadline);
    /// Removes all peers at the end, without counting disconnects.
    void clear();

    /// Access to the counters that FrameSender itself increments.
    [[nodiscard]] SenderStats &counters() { return stats_; }
    [[nodiscard]] SenderStats stats() const;

private:
    struct Entry {
        PeerInfo info;
        Peer peer;
        BufferSizes buffers;
        PeerDialogue dialogue;
        PeerSideChannel side_channel = {};
        std::optional<wire::SettingsRequest> encoder_request = {}; // until it is withdrawn
        // Requests on the connection itself are ignored: they may be older.
        bool has_used_side_channel = false;
        std::optional<wire::CloseReason> close_reason = {}; // that the peer sent
        bool has_stopped = false;                           // it sent a Stop
        bool is_writable_awaited = false;
        std::uint64_t last_bytes = 0;     // sent when the kernel last accepted data ...
        MonotonicTime last_progress = {}; // ... and when that was, or when nothing was queued
    };

    EventResult on_connection_event(Entry &entry, std::uint32_t events);
    EventResult on_side_channel_event(Entry &entry, std::uint32_t events);
    void on_source_changed();
    void report_source_state(MonotonicTime now);
    [[nodiscard]] bool may_steer(const PeerInfo &peer) const;
    bool is_microphone() const { return format_.direction == wire::Direction::microphone; }
    static bool is_too_slow(const Entry &entry, MonotonicTime now);
    [[nodiscard]] OutgoingMessage make_frame(std::span<const std::byte> packet, WallTime captured,
                                             nanoseconds duration) const;
    void send_held(Entry &entry);
    static void note_progress(Entry &entry, MonotonicTime now);
    /// Makes the poll report when the kernel can accept more, if a message waits for that.
    void update_poll(Entry &entry);
    void announce_stream(Entry &entry);

    EventPoll &poll_;
    wire::Format format_;
    nanoseconds max_queue_time_;
    std::map<std::uint64_t, Entry> peers_;
    std::optional<wire::StreamConfig> stream_;
    FrameHold held_;
    std::vector<uid_t> steering_uids_;
    PeerSideChannel::VersionedState source_;
    MonotonicTime next_state_report_{};
    SenderStats stats_; // without `peers`, which is made on demand
};

} // namespace jkvm
