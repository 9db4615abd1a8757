// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer_table.h"

#include "core/ipc/send/combined_request.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace jkvm {

namespace {

// The kernel does not report that a peer has read, so it is polled for that.
constexpr std::chrono::milliseconds read_poll_interval{5};

void add_counters(SenderStats &stats, const Peer &peer)
{
    stats.dropped_queue_full += peer.counters().dropped;
    stats.dropped_disconnected += peer.counters().undeliverable;
    stats.delivery.add(peer.counters().latency.histogram());
}

void add_final_counters(SenderStats &stats, const Peer &peer)
{
    add_counters(stats, peer);
    stats.dropped_disconnected += peer.queued_frames();
}

RemovalReason removal_reason_of(wire::CloseReason reason)
{
    switch (reason) {
    case wire::CloseReason::too_many:
        return RemovalReason::too_many;
    case wire::CloseReason::replaced:
        return RemovalReason::replaced;
    case wire::CloseReason::forbidden:
        return RemovalReason::forbidden;
    }
    return RemovalReason::closed;
}

} // namespace

bool PeerTable::add(const PeerInfo &info, UniqueFd connection, BufferSizes buffers)
{
    if (!poll_.add(connection.get(), EPOLLIN, info.id))
        return false;
    ++stats_.connects;
    auto &entry = peers_
                      .emplace(info.id, Entry{.info = info,
                                              .peer = Peer(std::move(connection), max_queue_time_),
                                              .buffers = buffers,
                                              .dialogue = PeerDialogue(format_),
                                              .last_progress = monotonic_now()})
                      .first->second;
    entry.side_channel.open(poll_, info.id | side_channel_token, entry.peer);
    on_source_changed();
    entry.side_channel.send_state(poll_, source_);
    announce_stream(entry);
    send_held(entry);
    return true;
}

void PeerTable::send_held(Entry &entry)
{
    stats_.unheard += held_.expire(monotonic_now());
    for (const auto &frame : held_.take()) {
        auto message = make_frame(frame.packet, frame.captured, frame.duration);
        if (!entry.peer.send(message, wall_now())) {
            ::shutdown(entry.peer.fd(), SHUT_RDWR);
            return;
        }
    }
    update_poll(entry);
}

OutgoingMessage PeerTable::make_frame(std::span<const std::byte> packet, WallTime captured,
                                      nanoseconds duration) const
{
    // A message without a duration would be taken for a control message, and never dropped.
    constexpr nanoseconds shortest = std::chrono::microseconds(2500);
    const wire::Header header{
        .type_code = wire::type_code(format_.dialect, wire::MessageType::opus_frame).value_or(0),
        .length = static_cast<std::uint32_t>(packet.size()),
        .timestamp = captured};
    return {wire::HeaderBytes(format_, header), packet, std::max(duration, shortest), captured};
}

void PeerTable::remove(const Removal &removal)
{
    const auto found = peers_.find(removal.peer.id);
    if (found == peers_.end())
        return;
    const auto &peer = found->second.peer;
    add_final_counters(stats_, peer);
    ++stats_.disconnects;
    stats_.protocol_errors += removal.reason == RemovalReason::violation ? 1 : 0;
    stats_.slow_peers += removal.reason == RemovalReason::slow ? 1 : 0;
    const bool is_own_decision = !found->second.close_reason;
    if (removal.reason == RemovalReason::replaced && is_own_decision && !peer.is_waiting())
        send_close_reason(peer.fd(), format_, wire::CloseReason::replaced);
    // A forked child may hold a copy of the descriptor, so closing alone has no effect on either.
    found->second.side_channel.close(poll_);
    poll_.remove(peer.fd());
    ::shutdown(peer.fd(), SHUT_RDWR);
    peers_.erase(found);
    on_source_changed();
}

std::vector<PeerInfo> PeerTable::infos() const
{
    std::vector<PeerInfo> infos;
    for (const auto &[id, entry] : peers_)
        infos.push_back(entry.info);
    return infos;
}

PeerTable::SendResult PeerTable::send(std::span<const std::byte> packet, WallTime captured,
                                      nanoseconds duration, MonotonicTime now, WallTime wall)
{
    if (peers_.empty()) {
        stats_.unheard += held_.add(packet, captured, duration, now);
        return {};
    }
    auto message = make_frame(packet, captured, duration);
    SendResult result;
    for (auto &[id, entry] : peers_) {
        if (!entry.peer.is_waiting())
            entry.last_progress = now;
        const auto dropped_before = entry.peer.counters().dropped;
        if (!entry.peer.send(message, wall)) {
            ::shutdown(entry.peer.fd(), SHUT_RDWR);
            continue;
        }
        update_poll(entry);
        note_progress(entry, now);
        result.dropped += static_cast<unsigned>(entry.peer.counters().dropped - dropped_before);
        result.needs_service |=
            entry.peer.waits_for() == Peer::Wait::reader || is_too_slow(entry, now);
    }
    return result;
}

void PeerTable::set_stream(const wire::StreamConfig &stream)
{
    if (stream_ == stream)
        return;
    stream_ = stream;
    for (auto &[id, entry] : peers_)
        announce_stream(entry);
}

void PeerTable::announce_stream(Entry &entry)
{
    if (!is_microphone() || !stream_)
        return;
    entry.dialogue.send_control(entry.peer, wire::MessageType::config, stream_->encode());
    update_poll(entry);
}

void PeerTable::set_source_state(const wire::SourceState &state)
{
    source_.state = state;
    on_source_changed();
}

void PeerTable::on_source_changed()
{
    source_.state.listeners = static_cast<std::uint32_t>(peers_.size());
    ++source_.version;
}

void PeerTable::report_source_state(MonotonicTime now)
{
    if (now < next_state_report_)
        return;
    for (auto &[id, entry] : peers_) {
        if (!entry.side_channel.is_state_due(source_))
            continue;
        entry.side_channel.send_state(poll_, source_);
        next_state_report_ = now + min_state_interval;
    }
}

std::vector<PeerTable::Removal> PeerTable::service_peers(MonotonicTime now)
{
    report_source_state(now);
    std::vector<Removal> removals;
    for (auto &[id, entry] : peers_) {
        if (!entry.peer.flush(wall_now())) {
            removals.push_back({entry.info, RemovalReason::closed, {}, entry.has_stopped});
            continue;
        }
        update_poll(entry);
        note_progress(entry, now);
        if (is_too_slow(entry, now))
            removals.push_back(
                {entry.info, RemovalReason::slow,
                 "lost " + std::to_string(entry.peer.counters().dropped) + " frames"});
    }
    return removals;
}

std::optional<MonotonicTime> PeerTable::next_deadline(MonotonicTime now) const
{
    std::optional<MonotonicTime> deadline;
    const auto take_earlier = [&](MonotonicTime time) {
        deadline = std::min(deadline.value_or(MonotonicTime::max()), time);
    };
    for (const auto &[id, entry] : peers_) {
        if (entry.side_channel.is_state_due(source_))
            take_earlier(next_state_report_);
        const auto wait = entry.peer.waits_for();
        if (wait != Peer::Wait::nothing)
            take_earlier(wait == Peer::Wait::reader ? now + read_poll_interval
                                                    : entry.last_progress + max_stall);
    }
    return deadline;
}

std::optional<PeerTable::EventResult> PeerTable::on_event(std::uint64_t token, std::uint32_t events)
{
    const auto found = peers_.find(token & ~side_channel_token);
    if (found == peers_.end())
        return std::nullopt;
    const bool is_of_side_channel = (token & side_channel_token) != 0;
    return is_of_side_channel ? on_side_channel_event(found->second, events)
                              : on_connection_event(found->second, events);
}

PeerTable::EventResult PeerTable::on_connection_event(Entry &entry, std::uint32_t events)
{
    EventResult result;
    auto &read = result.read;
    if ((events & EPOLLIN) != 0)
        read = entry.dialogue.receive(entry.peer);
    if ((read.encoder_request || read.has_withdrawn_request) && !entry.has_used_side_channel) {
        entry.encoder_request.reset();
        if (read.encoder_request)
            entry.encoder_request = wire::SettingsRequest{.config = read.encoder_request->fields()};
        result.has_new_request = read.encoder_request && may_steer(entry.info);
    }
    if (read.close_reason)
        entry.close_reason = read.close_reason;
    entry.has_stopped |= read.has_stopped;
    const auto closed =
        entry.close_reason ? removal_reason_of(*entry.close_reason) : RemovalReason::closed;
    // Messages that the peer sent before it hung up are handled first.
    if (read.end) {
        const bool is_violation = read.end->kind == ErrorKind::protocol_violation;
        result.removal =
            Removal{entry.info, is_violation ? RemovalReason::violation : closed, read.end->detail};
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0 || !entry.peer.flush(wall_now())) {
        result.removal = Removal{entry.info, closed, {}};
    } else {
        update_poll(entry);
    }
    if (result.removal)
        result.removal->has_stopped = entry.has_stopped;
    return result;
}

PeerTable::EventResult PeerTable::on_side_channel_event(Entry &entry, std::uint32_t events)
{
    EventResult result;
    auto &channel = entry.side_channel;
    const auto read = channel.receive();
    if (read.request) {
        result.has_new_request = !read.request->is_empty() && may_steer(entry.info);
        entry.has_used_side_channel = true;
        entry.encoder_request.reset();
        if (!read.request->is_empty())
            entry.encoder_request = read.request;
    }
    if (read.is_closed) {
        channel.close(poll_);
        if (std::exchange(entry.has_used_side_channel, false))
            entry.encoder_request.reset();
    } else if ((events & EPOLLOUT) != 0) {
        channel.on_writable(poll_, source_);
    }
    return result;
}

bool PeerTable::may_steer(const PeerInfo &peer) const
{
    return steering_uids_.empty() ||
           std::ranges::find(steering_uids_, peer.uid) != steering_uids_.end();
}

std::optional<wire::SettingsRequest> PeerTable::encoder_request() const
{
    std::optional<wire::SettingsRequest> request;
    for (const auto &[id, entry] : peers_) {
        if (entry.encoder_request && may_steer(entry.info))
            request = request ? combine_requests(*request, *entry.encoder_request)
                              : *entry.encoder_request;
    }
    return request;
}

void PeerTable::finish(MonotonicTime deadline)
{
    for (auto &[id, entry] : peers_) {
        auto &peer = entry.peer;
        peer.finish_writing();
        bool is_alive =
            !is_microphone() || entry.dialogue.send_control(peer, wire::MessageType::stop, {});
        is_alive = is_alive && peer.flush(wall_now());
        while (is_alive && peer.is_waiting()) {
            const auto left = deadline - monotonic_now();
            pollfd poll_entry{peer.fd(), POLLOUT, 0};
            const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
            is_alive = milliseconds > 0 &&
                       ::poll(&poll_entry, 1, static_cast<int>(milliseconds)) == 1 &&
                       peer.flush(wall_now());
        }
    }
}

void PeerTable::clear()
{
    for (const auto &[id, entry] : peers_)
        add_final_counters(stats_, entry.peer);
    peers_.clear();
    stats_.unheard += held_.take().size();
}

SenderStats PeerTable::stats() const
{
    SenderStats stats = stats_;
    for (const auto &[id, entry] : peers_) {
        const auto &peer = entry.peer;
        add_counters(stats, peer);
        stats.peers.push_back({entry.info, peer.counters(), peer.queued(), peer.queued_frames(),
                               entry.buffers, send_buffer_used(peer.fd()), entry.encoder_request,
                               may_steer(entry.info), entry.side_channel.is_open()});
    }
    stats.encoder_request = encoder_request();
    return stats;
}

bool PeerTable::is_too_slow(const Entry &entry, MonotonicTime now)
{
    return entry.peer.dropped_in_a_row() >= max_dropped_in_a_row ||
           (entry.peer.is_waiting() && now - entry.last_progress >= max_stall);
}

void PeerTable::note_progress(Entry &entry, MonotonicTime now)
{
    if (entry.peer.counters().bytes == entry.last_bytes)
        return;
    entry.last_bytes = entry.peer.counters().bytes;
    entry.last_progress = now;
}

void PeerTable::update_poll(Entry &entry)
{
    const bool is_awaited = entry.peer.waits_for() == Peer::Wait::kernel;
    if (is_awaited == entry.is_writable_awaited)
        return;
    entry.is_writable_awaited = is_awaited;
    poll_.change(entry.peer.fd(), is_awaited ? EPOLLIN | EPOLLOUT : EPOLLIN, entry.info.id);
}

} // namespace jkvm
