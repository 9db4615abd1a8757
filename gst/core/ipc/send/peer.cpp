// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer.h"

#include "core/ipc/socket/connection.h"
#include "core/ipc/socket/side_channel.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jkvm {

namespace {

iovec to_iovec(std::span<const std::byte> bytes)
{
    // sendmsg() only reads, but iovec has no const variant.
    return {const_cast<std::byte *>(bytes.data()), bytes.size()};
}

/// Whether sendmsg() failed because the descriptor must not be sent: too many are on their way to
/// peers that have not read them, or a security module forbids it.
bool is_descriptor_refused(int error)
{
    return error == ETOOMANYREFS || error == EACCES || error == EPERM;
}

} // namespace

const OutgoingMessage::Bytes &OutgoingMessage::stored()
{
    if (!stored_) {
        auto bytes = std::make_shared<std::vector<std::byte>>();
        bytes->reserve(size());
        bytes->insert(bytes->end(), header().begin(), header().end());
        bytes->insert(bytes->end(), payload_.begin(), payload_.end());
        stored_ = std::move(bytes);
    }
    return stored_;
}

bool Peer::send(OutgoingMessage &message, WallTime now)
{
    if (is_waiting()) // frames are sent in order
        return enqueue(message, 0) && flush(now);
    std::array parts{to_iovec(message.header()), to_iovec(message.payload())};
    const auto bytes_before = counters_.bytes;
    switch (write({parts, message.size(), message.duration(), message.captured()}, now)) {
    case WriteResult::whole:
        return true;
    case WriteResult::broken:
        counters_.undeliverable += message.duration() > nanoseconds(0) ? 1 : 0;
        return false;
    case WriteResult::partial:
        break;
    }
    return enqueue(message, static_cast<std::size_t>(counters_.bytes - bytes_before));
}

bool Peer::flush(WallTime now)
{
    while (is_waiting()) {
        const auto &next = queue_.front();
        const auto rest = std::span<const std::byte>(*next.bytes).subspan(written_);
        std::array parts{to_iovec(rest)};
        const auto bytes_before = counters_.bytes;
        switch (write({parts, rest.size(), next.duration, next.captured}, now)) {
        case WriteResult::whole:
            written_ = 0;
            queued_ -= next.duration;
            queued_frames_ -= next.duration > nanoseconds(0) ? 1 : 0;
            queue_.pop_front();
            break;
        case WriteResult::broken:
            return false;
        case WriteResult::partial:
            written_ += static_cast<std::size_t>(counters_.bytes - bytes_before);
            return true;
        }
    }
    return true;
}

bool Peer::must_wait(nanoseconds in_flight, nanoseconds frame) const
{
    // A message that is partly written is finished, and one frame may always be in the kernel.
    return in_flight > nanoseconds(0) && written_ == 0 && !is_finishing_ &&
           (in_flight + frame > max_in_flight_ || in_flight + 2 * frame > max_queued_);
}

Peer::WriteResult Peer::write(const PendingWrite &pending, WallTime now)
{
    const auto frame = pending.duration;
    // Asking the kernel is a system call, so it is done only when the answer can matter.
    const bool is_asking = in_flight_.needs_update() || must_wait(in_flight_.upper_bound(), frame);
    const auto in_flight =
        is_asking ? in_flight_.update(send_buffer_used(fd())) : in_flight_.upper_bound();
    if (must_wait(in_flight, frame)) {
        wait_ = Wait::reader;
        return WriteResult::partial;
    }
    const auto sent = send_some(pending.parts);
    if (sent < 0)
        return WriteResult::broken;
    wait_ = Wait::kernel;
    if (sent == 0)
        return WriteResult::partial;
    const auto size = static_cast<std::size_t>(sent);
    const bool is_whole = size == pending.size;
    counters_.bytes += size;
    in_flight_.note_sent(is_whole ? frame : nanoseconds(0), size);
    if (!is_whole)
        return WriteResult::partial;
    if (frame > nanoseconds(0)) {
        ++counters_.frames;
        counters_.latency.record(now - pending.captured);
        dropped_in_a_row_ = 0;
        if (is_asking)
            note_queued(in_flight + (is_waiting() ? nanoseconds(0) : frame));
    }
    return WriteResult::whole;
}

ssize_t Peer::send_some(std::span<iovec> parts)
{
    for (;;) {
        const auto sent = send_with_descriptor(fd(), parts, attachment_.get());
        // The kernel attaches the descriptor to the first byte that it accepts.
        if (sent > 0)
            attachment_.reset();
        if (sent >= 0)
            return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return 0;
        if (attachment_ && is_descriptor_refused(errno))
            attachment_.reset();
        else if (errno != EINTR)
            return -1;
    }
}

nanoseconds Peer::queued() const
{
    return queued_ + in_flight_.duration(send_buffer_used(fd()));
}

bool Peer::enqueue(OutgoingMessage &message, std::size_t written)
{
    constexpr std::size_t max_control_messages = 1000;
    const bool is_frame = message.duration() > nanoseconds(0);
    if (!is_frame && queue_.size() - queued_frames_ >= max_control_messages)
        return false;
    if (queue_.empty())
        written_ = written;
    queue_.push_back({message.stored(), message.duration(), message.captured()});
    queued_ += message.duration();
    queued_frames_ += is_frame ? 1 : 0;
    const auto in_flight = in_flight_.duration(send_buffer_used(fd()));
    while (queued_ + in_flight > max_queued_ && queued_frames_ > 1 && drop_oldest()) {
    }
    note_queued(in_flight);
    return true;
}

/// `in_flight`: unread audio in the kernel.
void Peer::note_queued(nanoseconds in_flight)
{
    counters_.max_queued = std::max(counters_.max_queued, queued_ + in_flight);
}

bool Peer::drop_oldest()
{
    // A message that is partly written must be finished, or the peer would lose synchronisation.
    const auto first = queue_.begin() + (written_ > 0 ? 1 : 0);
    const auto oldest = std::find_if(
        first, queue_.end(), [](const auto &queued) { return queued.duration.count() > 0; });
    if (oldest == queue_.end())
        return false;
    queued_ -= oldest->duration;
    --queued_frames_;
    queue_.erase(oldest);
    ++counters_.dropped;
    ++dropped_in_a_row_;
    return true;
}

} // namespace jkvm
