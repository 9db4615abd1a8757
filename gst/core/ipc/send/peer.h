// SPDX-License-Identifier: LGPL-2.1-or-later
// The sending side of one connection: what the other end does not read waits here, bounded.
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

/// One message on its way to any number of peers. The bytes are copied to the heap only when some
/// peer has to wait, and then once for all of them. Lives no longer than its payload.
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
    /// How much sound it carries; 0 for a control message, which is never dropped.
    [[nodiscard]] nanoseconds duration() const { return duration_; }
    /// Of a frame: when its first sample was.
    [[nodiscard]] WallTime captured() const { return captured_; }
    [[nodiscard]] const Bytes &stored();

private:
    wire::HeaderBytes header_;
    std::span<const std::byte> payload_;
    nanoseconds duration_;
    WallTime captured_;
    Bytes stored_;
};

/// Not thread-safe: the server that owns it holds its lock.
///
/// The kernel would take some seconds of sound for a reader that has stopped, and that reader would
/// hear it all later. So all that waits is bounded, and so is what of it the kernel gets, because
/// nothing can be taken back from there: half of it or 100 ms, and always room for one more frame
/// is left here. However long a frame is, one may be in the kernel and one may wait here.
class Peer {
public:
    enum class Wait {
        nothing,
        kernel, ///< until the connection is writable
        reader, ///< until the other end has read; nothing tells of that but a look
    };
    struct Counters {
        std::uint64_t frames = 0;        ///< handed to the kernel whole
        std::uint64_t bytes = 0;         ///< handed to the kernel
        std::uint64_t dropped = 0;       ///< frames given up because too much waited
        std::uint64_t undeliverable = 0; ///< frames that met a broken connection
        nanoseconds max_queued{0};       ///< the most that queued() was seen to be
        LatencyMonitor latency;          ///< from the capture of the first sample to the kernel
    };

    /// `max_queued`: how much sound may wait, here and in the kernel together.
    Peer(UniqueFd connection, nanoseconds max_queued)
        : connection_(std::move(connection)), max_queued_(max_queued),
          max_unread_(std::max<nanoseconds>(max_queued / 2, std::chrono::milliseconds(100)))
    {}

    /// Never blocks. Writes as much as may go, keeps the rest; when too much waits, the oldest
    /// frame that is not yet begun goes. False: the connection is broken.
    bool send(OutgoingMessage &message, WallTime now);
    /// Goes on with what waits. False: the connection is broken.
    bool flush(WallTime now);
    /// Nothing will be sent after what waits now, so the kernel may have all of it.
    void let_all_out() { is_last_ = true; }

    [[nodiscard]] bool is_waiting() const { return !queue_.empty(); }
    /// What flush() can go on after.
    [[nodiscard]] Wait waits_for() const { return is_waiting() ? wait_ : Wait::nothing; }
    /// Sound that the other end has not read, here and in the kernel.
    [[nodiscard]] nanoseconds queued() const;
    /// That wait here.
    [[nodiscard]] std::size_t queued_frames() const { return queued_frames_; }
    /// Frames dropped since the last one that went out whole.
    [[nodiscard]] unsigned dropped_in_a_row() const { return dropped_in_a_row_; }
    [[nodiscard]] const Counters &counters() const { return counters_; }
    [[nodiscard]] int fd() const { return connection_.get(); }

private:
    struct Waiting {
        OutgoingMessage::Bytes bytes;
        nanoseconds duration;
        WallTime captured;
    };

    /// One message, or the rest of one, and what comes of it.
    struct PendingWrite {
        std::span<iovec> parts;
        std::size_t size; // of the parts together, bytes
        nanoseconds duration;
        WallTime captured;
    };
    enum class Handed {
        whole,
        part, ///< or nothing; wait_ says what to wait for
        broken,
    };
    /// To the kernel, if that may have more. The bytes that it took are counted.
    Handed hand_over(const PendingWrite &parcel, WallTime now);
    /// The first `begun` bytes are sent already. False when too many control messages wait, which
    /// must not be dropped: the other end makes us answer and does not read.
    bool enqueue(OutgoingMessage &message, std::size_t begun);
    /// False when there is no frame that may go.
    bool drop_oldest();
    void note_waiting(nanoseconds unread);

    UniqueFd connection_;
    nanoseconds max_queued_;
    nanoseconds max_unread_; // of that, in the kernel
    bool is_last_ = false;   // nothing comes after what waits
    InFlightAudio unread_;
    std::deque<Waiting> queue_;
    Wait wait_ = Wait::kernel;      // of queue_.front()
    std::size_t begun_ = 0;         // bytes of queue_.front() that are already sent
    nanoseconds queued_{0};         // sum over queue_
    std::size_t queued_frames_ = 0; // in queue_; the others are control messages
    unsigned dropped_in_a_row_ = 0;
    Counters counters_;
};

} // namespace jkvm
