// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer.h"

#include "core/ipc/socket/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jkvm {

namespace {

iovec to_iovec(std::span<const std::byte> bytes)
{
    // sendmsg() only reads, but iovec serves reading and writing alike.
    return {const_cast<std::byte *>(bytes.data()), bytes.size()};
}

/// The bytes that the kernel took, 0 when it can take none now, -1 for a broken connection.
ssize_t send_some(int fd, std::span<iovec> parts)
{
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    for (;;) {
        const auto sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0)
            return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return 0;
        if (errno != EINTR)
            return -1;
    }
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
    if (is_waiting()) // its turn comes after those that wait
        return enqueue(message, 0) && flush(now);
    std::array parts{to_iovec(message.header()), to_iovec(message.payload())};
    const auto taken_before = counters_.bytes;
    switch (hand_over({parts, message.size(), message.duration(), message.captured()}, now)) {
    case Handed::whole:
        return true;
    case Handed::broken:
        counters_.undeliverable += message.duration() > nanoseconds(0) ? 1 : 0;
        return false;
    case Handed::part:
        break;
    }
    return enqueue(message, static_cast<std::size_t>(counters_.bytes - taken_before));
}

bool Peer::flush(WallTime now)
{
    while (is_waiting()) {
        const auto &next = queue_.front();
        const auto rest = std::span<const std::byte>(*next.bytes).subspan(begun_);
        std::array parts{to_iovec(rest)};
        const auto taken_before = counters_.bytes;
        switch (hand_over({parts, rest.size(), next.duration, next.captured}, now)) {
        case Handed::whole:
            begun_ = 0;
            queued_ -= next.duration;
            queued_frames_ -= next.duration > nanoseconds(0) ? 1 : 0;
            queue_.pop_front();
            break;
        case Handed::broken:
            return false;
        case Handed::part:
            begun_ += static_cast<std::size_t>(counters_.bytes - taken_before);
            return true;
        }
    }
    return true;
}

Peer::Handed Peer::hand_over(const PendingWrite &parcel, WallTime now)
{
    // What is begun may go on at once, and one frame always.
    const auto frame = parcel.duration;
    const auto is_too_much = [&](nanoseconds unread) {
        return unread > nanoseconds(0) && begun_ == 0 && !is_last_ &&
               (unread + frame > max_unread_ || unread + 2 * frame > max_queued_);
    };
    // A look at the kernel is a system call, so it is only taken when it may matter.
    const bool is_looking = unread_.is_long() || is_too_much(unread_.at_most());
    const auto unread = is_looking ? unread_.look(send_buffer_used(fd())) : unread_.at_most();
    if (is_too_much(unread)) {
        wait_ = Wait::reader;
        return Handed::part;
    }
    const auto sent = send_some(fd(), parcel.parts);
    if (sent < 0)
        return Handed::broken;
    wait_ = Wait::kernel;
    if (sent == 0)
        return Handed::part;
    const auto size = static_cast<std::size_t>(sent);
    const bool is_whole = size == parcel.size;
    counters_.bytes += size;
    unread_.note_sent(is_whole ? frame : nanoseconds(0), size);
    if (!is_whole)
        return Handed::part;
    if (frame > nanoseconds(0)) {
        ++counters_.frames;
        counters_.latency.record(now - parcel.captured);
        dropped_in_a_row_ = 0;
        if (is_looking)
            note_waiting(unread + (is_waiting() ? nanoseconds(0) : frame));
    }
    return Handed::whole;
}

nanoseconds Peer::queued() const
{
    return queued_ + unread_.time(send_buffer_used(fd()));
}

bool Peer::enqueue(OutgoingMessage &message, std::size_t begun)
{
    constexpr std::size_t max_control_messages = 1000;
    const bool is_frame = message.duration() > nanoseconds(0);
    if (!is_frame && queue_.size() - queued_frames_ >= max_control_messages)
        return false;
    if (queue_.empty())
        begun_ = begun;
    queue_.push_back({message.stored(), message.duration(), message.captured()});
    queued_ += message.duration();
    queued_frames_ += is_frame ? 1 : 0;
    const auto unread = unread_.time(send_buffer_used(fd()));
    while (queued_ + unread > max_queued_ && queued_frames_ > 1 && drop_oldest()) {
    }
    note_waiting(unread);
    return true;
}

/// `unread`: of that, in the kernel.
void Peer::note_waiting(nanoseconds unread)
{
    counters_.max_queued = std::max(counters_.max_queued, queued_ + unread);
}

bool Peer::drop_oldest()
{
    // A message once begun is finished, else the peer would lose its place in the stream.
    const auto first = queue_.begin() + (begun_ > 0 ? 1 : 0);
    const auto oldest =
        std::find_if(first, queue_.end(), [](const Waiting &w) { return w.duration.count() > 0; });
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
