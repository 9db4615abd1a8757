// SPDX-License-Identifier: LGPL-2.1-or-later
// The sending side of one connection, with a bounded queue of messages that the peer has not read.
#pragma once

#include "core/base/unique_fd.h"
#include "core/ipc/send/in_flight_audio.h"
#include "core/stats/latency_monitor.h"
#include "core/wire/header.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace jkvm {

/// One message on its way to any number of peers. The bytes are copied to the heap only if a peer
/// has to queue them, and then once for all peers. Must not outlive its payload.
class OutgoingMessage {
public:
    using Bytes = std::shared_ptr<const std::vector<std::byte>>;

    OutgoingMessage(const wire::HeaderBytes &header, std::span<const std::byte> payload,
                    nanoseconds duration, WallTime captured = {})
        : header_(header), payload_(payload), duration_(duration), captured_(captured)
    {}

    [[nodiscard]] std::span<const std::byte> header() const { return header_.bytes(); }
    [[nodiscard]] std::span<const std::byte> payload() const { return payload_; }
    [[nodiscard]] std::size_t size() const { return header().size() + payload_.size(); }
    /// Duration of the audio in a frame; 0 for a control message, which is never dropped.
    [[nodiscard]] nanoseconds duration() const { return duration_; }
    /// Capture time of a frame's first sample.
    [[nodiscard]] WallTime captured() const { return captured_; }
    [[nodiscard]] const Bytes &stored();

private:
    wire::HeaderBytes header_;
    std::span<const std::byte> payload_;
    nanoseconds duration_;
    WallTime captured_;
    Bytes stored_;
};

/// Not thread-safe: the sender that owns it holds its lock.
///
/// The kernel would buffer seconds of audio for a reader that has stalled, which would then play
/// all of it late. The queued audio is therefore bounded, and so is the part of it that the kernel
/// holds, because data cannot be removed from there: to half of the bound or 100 ms, whichever is
/// more, but always to one frame less than the bound. However long a frame is, one may be in the
/// kernel and one may be queued here.
class Peer {
public:
    enum class Wait {
        nothing,
        kernel, ///< until the connection is writable
        reader, ///< until the peer has read, which only polling shows
    };
    struct Counters {
        std::uint64_t frames = 0;        ///< passed to the kernel completely
        std::uint64_t bytes = 0;         ///< passed to the kernel
        std::uint64_t dropped = 0;       ///< frames dropped because too much was queued
        std::uint64_t undeliverable = 0; ///< frames not sent because the connection was broken
        nanoseconds max_queued{0};       ///< maximum of queued() that was observed
        LatencyMonitor latency;          ///< from the capture of the first sample to the kernel
    };

    /// `max_queued`: maximum duration of unread audio, here and in the kernel together.
    Peer(UniqueFd connection, nanoseconds max_queued)
        : connection_(std::move(connection)), max_queued_(max_queued),
          max_in_flight_(std::max<nanoseconds>(max_queued / 2, std::chrono::milliseconds(100)))
    {}

    /// Attaches a descriptor to the next byte that is sent. The peer owns its copy afterwards; this
    /// one is closed.
    void attach(UniqueFd descriptor) { attachment_ = std::move(descriptor); }
    /// Never blocks. Writes as much as allowed and queues the rest; if too much is queued, drops
    /// the oldest frame that is not partly written. Returns false if the connection is broken.
    bool send(OutgoingMessage &message, WallTime now);
    /// Continues writing the queue. Returns false if the connection is broken.
    bool flush(WallTime now);
    /// Lifts the bound on audio in the kernel: no message will follow those queued now.
    void finish_writing() { is_finishing_ = true; }

    [[nodiscard]] bool is_waiting() const { return !queue_.empty(); }
    /// The condition under which flush() can continue.
    [[nodiscard]] Wait waits_for() const { return is_waiting() ? wait_ : Wait::nothing; }
    /// Audio that the peer has not read, here and in the kernel.
    [[nodiscard]] nanoseconds queued() const;
    /// Frames queued here.
    [[nodiscard]] std::size_t queued_frames() const { return queued_frames_; }
    /// Frames dropped since the last one that was written completely.
    [[nodiscard]] unsigned dropped_in_a_row() const { return dropped_in_a_row_; }
    [[nodiscard]] const Counters &counters() const { return counters_; }
    [[nodiscard]] int fd() const { return connection_.get(); }

private:
    struct QueuedMessage {
        OutgoingMessage::Bytes bytes;
        nanoseconds duration;
        WallTime captured;
    };

    /// One message, or the rest of one.
    struct PendingWrite {
        std::span<iovec> parts;
        std::size_t size; // of the parts together, bytes
        nanoseconds duration;
        WallTime captured;
    };
    enum class WriteResult {
        whole,
        partial, ///< or nothing; wait_ is the condition to continue
        broken,
    };
    /// Passes the message to the kernel, unless that holds too much already. Counts the bytes that
    /// the kernel accepted.
    WriteResult write(const PendingWrite &pending, WallTime now);
    /// Returns the bytes that the kernel accepted, 0 if it can accept none now, -1 for a broken
    /// connection.
    ssize_t send_some(std::span<iovec> parts);
    /// Whether this frame must wait while `in_flight` is unread in the kernel.
    [[nodiscard]] bool must_wait(nanoseconds in_flight, nanoseconds frame) const;
    /// Queues a message of which `written` bytes are sent already. Returns false if too many
    /// control messages are queued, which must not be dropped: the peer sends messages that require
    /// an answer and does not read the answers.
    bool enqueue(OutgoingMessage &message, std::size_t written);
    /// Returns false if no queued frame may be dropped.
    bool drop_oldest();
    void note_queued(nanoseconds in_flight);

    UniqueFd connection_;
    UniqueFd attachment_; // not sent yet
    nanoseconds max_queued_;
    nanoseconds max_in_flight_; // of that, in the kernel
    bool is_finishing_ = false; // nothing follows the queue
    InFlightAudio in_flight_;
    std::deque<QueuedMessage> queue_;
    Wait wait_ = Wait::kernel;      // of queue_.front()
    std::size_t written_ = 0;       // bytes of queue_.front() that are already sent
    nanoseconds queued_{0};         // sum over queue_
    std::size_t queued_frames_ = 0; // in queue_; the others are control messages
    unsigned dropped_in_a_row_ = 0;
    Counters counters_;
};

} // namespace jkvm
