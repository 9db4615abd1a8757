// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/peer.h"

#include <sys/socket.h>
#include <sys/uio.h>

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
    if (is_waiting()) { // its turn comes after those that wait
        return enqueue(message, 0) && flush(now);
    }
    std::array parts{to_iovec(message.header()), to_iovec(message.payload())};
    const auto sent = send_some(fd(), parts);
    if (sent < 0)
        return false;
    counters_.bytes += static_cast<std::uint64_t>(sent);
    if (static_cast<std::size_t>(sent) == message.size()) {
        note_sent(message.duration(), message.captured(), now);
        return true;
    }
    return enqueue(message, static_cast<std::size_t>(sent));
}

bool Peer::enqueue(OutgoingMessage &message, std::size_t begun)
{
    // 100 ms are at most 40 frames.
    constexpr std::size_t max_waiting = 1000;
    if (queue_.size() >= max_waiting)
        return false;
    if (queue_.empty())
        begun_ = begun;
    queue_.push_back({message.stored(), message.duration(), message.captured()});
    queued_ += message.duration();
    while (queued_ > max_queued_ && drop_oldest()) {
    }
    counters_.max_queued = std::max(counters_.max_queued, queued_);
    return true;
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
    queue_.erase(oldest);
    ++counters_.dropped;
    ++dropped_in_a_row_;
    return true;
}

std::size_t Peer::queued_frames() const
{
    return static_cast<std::size_t>(
        std::ranges::count_if(queue_, [](const Waiting &w) { return w.duration.count() > 0; }));
}

void Peer::note_sent(nanoseconds duration, WallTime captured, WallTime now)
{
    if (duration.count() == 0)
        return;
    ++counters_.frames;
    counters_.latency.record(now - captured);
    dropped_in_a_row_ = 0;
}

bool Peer::flush(WallTime now)
{
    while (is_waiting()) {
        const auto rest = std::span<const std::byte>(*queue_.front().bytes).subspan(begun_);
        std::array parts{to_iovec(rest)};
        const auto sent = send_some(fd(), parts);
        if (sent < 0)
            return false;
        counters_.bytes += static_cast<std::uint64_t>(sent);
        if (static_cast<std::size_t>(sent) < rest.size()) {
            begun_ += static_cast<std::size_t>(sent);
            return true;
        }
        begun_ = 0;
        const auto &sent_now = queue_.front();
        note_sent(sent_now.duration, sent_now.captured, now);
        queued_ -= sent_now.duration;
        queue_.pop_front();
    }
    return true;
}

} // namespace jkvm
