// SPDX-License-Identifier: LGPL-2.1-or-later
// The service thread of FrameSender: accepts or connects, reads from the peers, finishes writes.
#include "core/ipc/send/frame_sender.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace jkvm {

namespace {

// Tokens of the poll in addition to those of the peers (PeerTable).
constexpr std::uint64_t token_listener = 0;
constexpr std::uint64_t token_end = UINT64_MAX;
constexpr std::uint64_t token_service = UINT64_MAX - 1;
constexpr std::uint64_t token_watch = UINT64_MAX - 2;

// Without a free descriptor accept() fails immediately, and would do so endlessly.
constexpr std::chrono::milliseconds accept_pause{100};

/// Reason to send to the peer before its connection is closed; empty if none is sent.
std::optional<wire::CloseReason> close_reason_of(RemovalReason reason)
{
    switch (reason) {
    case RemovalReason::replaced:
        return wire::CloseReason::replaced;
    case RemovalReason::too_many:
        return wire::CloseReason::too_many;
    default:
        return std::nullopt;
    }
}

} // namespace

bool FrameSender::watch_descriptors()
{
    return poll_.add(end_.fd(), EPOLLIN, token_end) &&
           poll_.add(service_request_.fd(), EPOLLIN, token_service) &&
           (!socket_ || poll_.add(socket_->fd(), EPOLLIN, token_listener));
}

void FrameSender::serve()
{
    for (;;) {
        if (!socket_)
            try_to_connect();
        const auto events = poll_.wait(next_deadline());
        if (accept_again_ && monotonic_now() >= *accept_again_ &&
            poll_.change(socket_->fd(), EPOLLIN, token_listener))
            accept_again_.reset();
        // Checked first, so that busy peers cannot delay the end.
        if (std::ranges::any_of(events, [](const auto &e) { return e.data.u64 == token_end; }))
            return;
        for (const auto &event : events) {
            switch (event.data.u64) {
            case token_service:
                service_request_.clear();
                break;
            case token_listener:
                accept_client();
                break;
            case token_watch:
                break; // try_to_connect() reads it
            default:
                handle_peer(event.data.u64, event.events);
            }
        }
        service_peers();
        report_encoder_request();
    }
}

std::optional<MonotonicTime> FrameSender::next_deadline() const
{
    auto deadline = accept_again_;
    const auto peers = peers_.lock();
    const auto take_earlier = [&](MonotonicTime time) {
        deadline = std::min(deadline.value_or(MonotonicTime::max()), time);
    };
    if (!socket_ && peers->size() == 0)
        take_earlier(schedule_.next_attempt());
    if (const auto next = peers->next_deadline(monotonic_now()))
        take_earlier(*next);
    return deadline;
}

/// Accepts one client at a time: a client that connects in a loop must not delay the others.
void FrameSender::accept_client()
{
    auto connection = accept_from(socket_->fd());
    if (!connection) {
        if (errno != EAGAIN && errno != EWOULDBLOCK &&
            poll_.change(socket_->fd(), 0, token_listener))
            accept_again_ = monotonic_now() + accept_pause;
        return;
    }
    const auto info = identify(next_id_++, connection.get());
    std::optional<RemovalReason> refusal;
    if (!is_allowed(config_.endpoint, info) || !observer_.may_connect(info))
        refusal = RemovalReason::forbidden;
    else
        refusal = admit(info, connection);
    if (!refusal)
        return;
    if (const auto reason = close_reason_of(*refusal)) {
        reconnect_notice_.on_turned_away();
        send_close_reason(connection.get(), {config_.endpoint.direction, config_.dialect}, *reason);
    }
    ++peers_.lock()->counters().rejects;
    report({info, *refusal, {}});
}

void FrameSender::try_to_connect()
{
    if (peers_.lock()->size() > 0)
        return;
    // Armed before the attempt to connect, so that no socket appears unnoticed in between.
    const bool is_watching = watch_for_server();
    if (watch_.take_appearance())
        schedule_.on_socket_appeared(monotonic_now());
    if (monotonic_now() < schedule_.next_attempt())
        return;
    auto connection = connect_to(config_.endpoint);
    if (!connection) {
        schedule_.on_unreachable(monotonic_now(), is_watching);
        observer_.on_peer_unreachable(connection.error());
        return;
    }
    stop_watching();
    schedule_.on_connected(monotonic_now());
    const auto info = identify(next_id_++, connection->get());
    if (!is_allowed(config_.endpoint, info)) {
        schedule_.on_closed(monotonic_now(), true);
        report({info, RemovalReason::forbidden,
                "the server's uid " + std::to_string(info.uid) + " is not allowed"});
    } else if (const auto refusal = admit(info, *connection)) {
        schedule_.on_closed(monotonic_now(), false);
        report({info, *refusal, {}});
    }
}

bool FrameSender::watch_for_server()
{
    if (watch_.is_armed())
        return true;
    if (!watch_.arm())
        return false;
    poll_.remove(watch_.fd()); // if the watch was lost before
    return poll_.add(watch_.fd(), EPOLLIN, token_watch);
}

void FrameSender::stop_watching()
{
    if (watch_.is_armed())
        poll_.remove(watch_.fd());
    watch_.disarm();
}

/// Takes the connection if it adds the peer.
std::optional<RemovalReason> FrameSender::admit(const PeerInfo &info, UniqueFd &connection)
{
    if (socket_ && config_.policy == ClientPolicy::replace) {
        if (!newest_.admit(identify_process(info.pid)))
            return RemovalReason::replaced;
        replace_peers(info);
    }
    const auto buffers = set_buffer_sizes(config_.endpoint, connection.get());
    {
        auto peers = peers_.lock();
        const auto room = config_.policy == ClientPolicy::share ? config_.max_clients : 1;
        if (peers->size() >= room)
            return RemovalReason::too_many;
        if (!peers->add(info, std::move(connection), buffers))
            return RemovalReason::closed;
    }
    observer_.on_peer_added(info);
    return std::nullopt;
}

void FrameSender::replace_peers(const PeerInfo &newest)
{
    std::vector<Removal> removals;
    {
        auto peers = peers_.lock();
        for (const auto &info : peers->infos())
            removals.push_back({info, RemovalReason::replaced, {}, false, newest});
        for (const auto &removal : removals)
            remove(*peers, removal);
    }
    for (const auto &removal : removals)
        report(removal);
}

void FrameSender::service_peers()
{
    std::vector<Removal> removals;
    {
        auto peers = peers_.lock();
        removals = peers->service_peers(monotonic_now());
        for (const auto &removal : removals)
            remove(*peers, removal);
    }
    for (const auto &removal : removals)
        report(removal);
}

void FrameSender::handle_peer(std::uint64_t token, std::uint32_t events)
{
    std::optional<PeerTable::EventResult> result;
    {
        auto peers = peers_.lock();
        result = peers->on_event(token, events);
        if (!result)
            return;
        has_new_request_ |= result->has_new_request;
        // Only a server gives reasons for the end of a connection.
        if (socket_ && result->removal && result->removal->reason != RemovalReason::violation)
            result->removal->reason = RemovalReason::closed;
        if (result->removal)
            remove(*peers, *result->removal);
    }
    if (result->removal)
        report(*result->removal);
}

/// A request that is repeated is reported again, to override settings that were made meanwhile.
void FrameSender::report_encoder_request()
{
    const auto request = peers_.lock()->encoder_request();
    const bool is_repeated = std::exchange(has_new_request_, false) && request;
    if (std::exchange(reported_request_, request) != request || is_repeated)
        observer_.on_encoder_request(request);
}

void FrameSender::remove(PeerTable &peers, const Removal &removal)
{
    peers.remove(removal);
    const bool was_turned_away =
        close_reason_of(removal.reason) || removal.reason == RemovalReason::forbidden;
    const auto now = monotonic_now();
    schedule_.on_closed(now, was_turned_away);
    if (removal.reason == RemovalReason::replaced)
        return;
    newest_.on_disconnected();
    if (socket_)
        reconnect_notice_.on_disconnected(*socket_, now);
}

void FrameSender::report(const Removal &removal)
{
    observer_.on_peer_removed(removal);
}

} // namespace jkvm
