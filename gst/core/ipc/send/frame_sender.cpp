// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/frame_sender.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace jkvm {

namespace {

// What an epoll event is about; clients have their id, which starts at 1.
constexpr std::uint64_t token_listener = 0;
constexpr std::uint64_t token_end = UINT64_MAX;
constexpr std::uint64_t token_look = UINT64_MAX - 1;

// When the process has no descriptor left, accept() fails at once, again and again.
constexpr std::chrono::milliseconds accept_pause{100};
// How often a client that does not read is looked at.
constexpr std::chrono::milliseconds look_pause{5};
// What waits for a peer at the end is worth this much time.
constexpr std::chrono::milliseconds goodbye_time{100};

bool is_too_slow(const Peer &peer, MonotonicTime took_last, MonotonicTime now)
{
    return peer.dropped_in_a_row() >= FrameSender::max_dropped_in_a_row ||
           (peer.is_waiting() && now - took_last >= FrameSender::max_stall);
}

void count(FrameSender::Stats &stats, const Peer &peer)
{
    stats.dropped_queue_full += peer.counters().dropped;
    stats.dropped_disconnected += peer.counters().undeliverable;
    stats.delivery.add(peer.counters().latency.histogram());
}

/// Of a peer that goes.
void count_last(FrameSender::Stats &stats, const Peer &peer)
{
    count(stats, peer);
    stats.dropped_disconnected += peer.queued_frames();
}

/// What satisfies both: an encoder that has to save for one receiver does it for all.
wire::EncoderConfig cheapest(wire::EncoderConfig config, const wire::EncoderConfig &other)
{
    const auto length = [](const wire::StreamConfig &stream) {
        return nanoseconds(std::chrono::seconds(stream.frame_size)) / stream.sample_rate;
    };
    if (length(other.stream) > length(config.stream))
        config.stream = other.stream;
    config.bitrate = std::min(config.bitrate, other.bitrate);
    config.complexity = std::min(config.complexity, other.complexity);
    config.bandwidth = std::min(config.bandwidth, other.bandwidth);
    config.dtx |= other.dtx;
    return config;
}

RemovalReason reason_of(const Error &end)
{
    return end.kind == ErrorKind::protocol_violation ? RemovalReason::violation
                                                     : RemovalReason::closed;
}

} // namespace

Result<std::unique_ptr<FrameSender>> FrameSender::start(const Config &config, Observer &observer)
{
    const auto &path = config.endpoint.path;
    auto socket = ListeningSocket::open_if_listening(config.endpoint);
    if (!socket)
        return socket.error();
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return system_error(ErrorKind::out_of_resources, path, "epoll_create1", errno);
    std::unique_ptr<FrameSender> sender(
        new FrameSender(config, observer, std::move(*socket), std::move(epoll)));
    const bool is_watching =
        sender->watch(EPOLL_CTL_ADD, sender->end_.fd(), EPOLLIN, token_end) &&
        sender->watch(EPOLL_CTL_ADD, sender->look_.fd(), EPOLLIN, token_look) &&
        (!sender->socket_ ||
         sender->watch(EPOLL_CTL_ADD, sender->socket_->fd(), EPOLLIN, token_listener));
    if (!is_watching)
        return system_error(ErrorKind::out_of_resources, path, "epoll_ctl", errno);
    try {
        sender->service_ = std::thread(&FrameSender::serve, sender.get());
    } catch (const std::system_error &error) {
        return system_error(ErrorKind::out_of_resources, path, "start of the service thread",
                            error.code().value());
    }
    return sender;
}

FrameSender::FrameSender(Config config, Observer &observer, std::optional<ListeningSocket> socket,
                         UniqueFd epoll)
    : config_(std::move(config)), observer_(observer), socket_(std::move(socket)),
      epoll_(std::move(epoll)), backoff_(config_.first_pause, config_.longest_pause, config_.seed)
{}

FrameSender::~FrameSender()
{
    stop();
}

FrameSender::Stats FrameSender::stop()
{
    if (!service_.joinable())
        return stats();
    end_.set();
    service_.join();
    std::vector<PeerInfo> last;
    {
        auto shared = shared_.lock();
        say_goodbye(*shared);
        for (const auto &[id, client] : shared->clients) {
            last.push_back(client.info);
            count_last(shared->stats, client.peer);
        }
        shared->clients.clear();
    }
    for (const auto &peer : last)
        report({peer, RemovalReason::ended, {}});
    return stats();
}

/// Lets out what waits, and tells a microphone's listener that the session is over.
void FrameSender::say_goodbye(Shared &shared)
{
    const auto deadline = monotonic_now() + goodbye_time;
    for (auto &[id, client] : shared.clients) {
        auto &peer = client.peer;
        peer.let_all_out();
        bool is_alive = !is_microphone() || client.dialogue.say(peer, wire::MessageType::stop, {});
        is_alive = is_alive && peer.flush(wall_now());
        while (is_alive && peer.is_waiting()) {
            const auto left = deadline - monotonic_now();
            pollfd entry{peer.fd(), POLLOUT, 0};
            const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
            is_alive = milliseconds > 0 && ::poll(&entry, 1, static_cast<int>(milliseconds)) == 1 &&
                       peer.flush(wall_now());
        }
    }
}

void FrameSender::send(std::span<const std::byte> packet, WallTime captured, nanoseconds duration)
{
    const wire::Header header{
        .type_code = wire::type_code(config_.dialect, wire::MessageType::opus_frame).value_or(0),
        .length = static_cast<std::uint32_t>(packet.size()),
        .timestamp = captured};
    // What has no duration is taken for a control message, and never dropped.
    constexpr nanoseconds shortest = std::chrono::microseconds(2500);
    OutgoingMessage message(
        wire::HeaderBytes({config_.endpoint.direction, config_.dialect}, header), packet,
        std::max(duration, shortest), captured);
    const auto now = monotonic_now();
    const auto now_on_the_wall = wall_now();
    bool is_one_to_tend = false;

    auto shared = shared_.lock();
    for (auto &[id, client] : shared->clients) {
        if (!client.peer.is_waiting())
            client.took_last = now;
        if (!client.peer.send(message, now_on_the_wall)) {
            // The service thread removes it, once it sees the hang-up.
            ::shutdown(client.peer.fd(), SHUT_RDWR);
            continue;
        }
        await_writable(client);
        note_progress(client, now);
        is_one_to_tend |= client.peer.waits_for() == Peer::Wait::reader ||
                          is_too_slow(client.peer, client.took_last, now);
    }
    // Nobody has to wait for that.
    ++shared->stats.frames;
    shared->stats.bytes += packet.size();
    shared->stats.unheard += shared->clients.empty() ? 1 : 0;
    shared->stats.last_frame = now_on_the_wall;
    shared->stats.latency.record(now_on_the_wall - captured);
    shared->stats.sending += monotonic_now() - now;
    if (is_one_to_tend)
        look_.set();
}

void FrameSender::set_stream(const wire::StreamConfig &stream)
{
    auto shared = shared_.lock();
    if (shared->stream == stream)
        return;
    shared->stream = stream;
    if (!is_microphone())
        return;
    for (auto &[id, client] : shared->clients) {
        client.dialogue.say(client.peer, wire::MessageType::config, stream.encode());
        await_writable(client);
    }
}

FrameSender::Stats FrameSender::stats() const
{
    const auto shared = shared_.lock();
    Stats stats = shared->stats;
    for (const auto &[id, client] : shared->clients) {
        const auto &peer = client.peer;
        count(stats, peer);
        stats.peers.push_back({client.info, peer.counters(), peer.queued(), peer.queued_frames(),
                               client.buffers, send_buffer_used(peer.fd())});
    }
    return stats;
}

bool FrameSender::watch(int operation, int fd, std::uint32_t events, std::uint64_t token)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

void FrameSender::note_progress(Client &client, MonotonicTime now)
{
    if (client.peer.counters().bytes == client.bytes_then)
        return;
    client.bytes_then = client.peer.counters().bytes;
    client.took_last = now;
}

/// Asks for a wake-up once the client can take more, or no longer asks.
void FrameSender::await_writable(Client &client)
{
    const bool is_awaited = client.peer.waits_for() == Peer::Wait::kernel;
    if (is_awaited == client.is_writable_awaited)
        return;
    client.is_writable_awaited = is_awaited;
    const std::uint32_t events = client.is_writable_awaited ? EPOLLIN | EPOLLOUT : EPOLLIN;
    watch(EPOLL_CTL_MOD, client.peer.fd(), events, client.info.id);
}

void FrameSender::serve()
{
    std::array<epoll_event, 16> events;
    for (;;) {
        if (!socket_)
            try_to_connect();
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(),
                                       milliseconds_to_next_deadline());
        if (accept_again_ && monotonic_now() >= *accept_again_ &&
            watch(EPOLL_CTL_MOD, socket_->fd(), EPOLLIN, token_listener))
            accept_again_.reset();
        // Before all else, so that nobody can hold up the end.
        const auto batch = std::span(events).first(static_cast<std::size_t>(std::max(count, 0)));
        if (std::ranges::any_of(batch, [](const auto &e) { return e.data.u64 == token_end; }))
            return;
        for (const auto &event : batch) {
            switch (event.data.u64) {
            case token_look:
                look_.clear();
                break;
            case token_listener:
                accept_client();
                break;
            default:
                handle_client(event.data.u64, event.events);
            }
        }
        tend_clients();
        tell_encoder_request();
    }
}

int FrameSender::milliseconds_to_next_deadline() const
{
    std::optional<MonotonicTime> deadline = accept_again_;
    {
        const auto shared = shared_.lock();
        if (!socket_ && shared->clients.empty())
            deadline = next_try_;
        for (const auto &[id, client] : shared->clients) {
            const auto wait = client.peer.waits_for();
            if (wait == Peer::Wait::nothing)
                continue;
            // The kernel says when it has room; but a stall has to be noticed, too.
            const auto look = wait == Peer::Wait::reader ? monotonic_now() + look_pause
                                                         : client.took_last + max_stall;
            deadline = std::min(deadline.value_or(MonotonicTime::max()), look);
        }
    }
    if (!deadline)
        return -1;
    const auto pause = std::max(*deadline - monotonic_now(), nanoseconds(0));
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(pause).count());
}

/// One at a time: whoever connects in a loop must not keep the others waiting.
void FrameSender::accept_client()
{
    auto fd = accept_from(socket_->fd());
    if (!fd) {
        if (errno != EAGAIN && errno != EWOULDBLOCK &&
            watch(EPOLL_CTL_MOD, socket_->fd(), 0, token_listener))
            accept_again_ = monotonic_now() + accept_pause;
        return;
    }
    const auto info = identify(next_id_++, fd.get());
    std::optional<RemovalReason> refusal;
    if (!is_allowed(config_.endpoint, info) || !observer_.may_connect(info))
        refusal = RemovalReason::forbidden;
    else
        refusal = admit(info, std::move(fd));
    if (refusal) {
        ++shared_.lock()->stats.rejects;
        report({info, *refusal, {}});
    }
}

void FrameSender::try_to_connect()
{
    if (monotonic_now() < next_try_ || !shared_.lock()->clients.empty())
        return;
    next_try_ = monotonic_now() + backoff_.next();
    auto connected = connect_to(config_.endpoint);
    if (!connected) {
        observer_.peer_unreachable(connected.error());
        return;
    }
    const auto info = identify(next_id_++, connected->get());
    if (const auto refusal = admit(info, std::move(*connected)))
        report({info, *refusal, {}});
}

std::optional<RemovalReason> FrameSender::admit(const PeerInfo &info, UniqueFd fd)
{
    const auto policy = config_.policy;
    if (socket_ && policy == ClientPolicy::replace)
        make_room();
    const auto buffers = set_buffer_sizes(config_.endpoint, fd.get());
    const wire::Format format{config_.endpoint.direction, config_.dialect};
    {
        auto shared = shared_.lock();
        const auto room = policy == ClientPolicy::share ? config_.max_clients : 1;
        if (shared->clients.size() >= room)
            return RemovalReason::too_many;
        if (!watch(EPOLL_CTL_ADD, fd.get(), EPOLLIN, info.id))
            return RemovalReason::closed;
        ++shared->stats.connects;
        auto &client = shared->clients
                           .try_emplace(info.id, info, Peer(std::move(fd), config_.max_queue_time),
                                        buffers, format)
                           .first->second;
        client.took_last = monotonic_now();
        if (is_microphone() && shared->stream)
            client.dialogue.say(client.peer, wire::MessageType::config, shared->stream->encode());
    }
    observer_.peer_added(info);
    return std::nullopt;
}

/// For the newest client: all others go.
void FrameSender::make_room()
{
    std::vector<Removal> removals;
    {
        auto shared = shared_.lock();
        for (const auto &[id, client] : shared->clients)
            removals.push_back({client.info, RemovalReason::replaced, {}});
        for (const auto &removal : removals)
            remove(*shared, removal);
    }
    for (const auto &removal : removals)
        report(removal);
}

/// Goes on with those that did not read at once, and gives up those that are too slow.
void FrameSender::tend_clients()
{
    std::vector<Removal> removals;
    {
        const auto now = monotonic_now();
        auto shared = shared_.lock();
        for (auto &[id, client] : shared->clients) {
            if (!client.peer.flush(wall_now())) {
                removals.push_back({client.info, RemovalReason::closed, {}});
                continue;
            }
            await_writable(client);
            note_progress(client, now);
            if (is_too_slow(client.peer, client.took_last, now))
                removals.push_back(
                    {client.info, RemovalReason::slow,
                     "lost " + std::to_string(client.peer.counters().dropped) + " frames"});
        }
        for (const auto &removal : removals)
            remove(*shared, removal);
    }
    for (const auto &removal : removals)
        report(removal);
}

void FrameSender::handle_client(std::uint64_t id, std::uint32_t events)
{
    PeerDialogue::ReadResult heard;
    std::optional<Removal> removal;
    {
        auto shared = shared_.lock();
        const auto found = shared->clients.find(id);
        if (found == shared->clients.end())
            return;
        auto &client = found->second;
        if ((events & EPOLLIN) != 0)
            heard = client.dialogue.listen(client.peer);
        if (heard.has_message)
            backoff_.reset();
        if (heard.encoder_request || heard.has_withdrawn_request)
            client.encoder_request = heard.encoder_request;
        is_request_new_ |= heard.encoder_request.has_value();
        // A hang-up counts after what the client had still to say.
        if (heard.end)
            removal = Removal{client.info, reason_of(*heard.end), heard.end->detail};
        else if ((events & (EPOLLHUP | EPOLLERR)) != 0 || !client.peer.flush(wall_now()))
            removal = Removal{client.info, RemovalReason::closed, {}};
        if (removal)
            remove(*shared, *removal);
        else
            await_writable(client);
    }
    if (removal)
        report(*removal);
}

/// Whoever goes takes the wish along. One that was said again is told again: whoever set the
/// encoder meanwhile is overruled.
void FrameSender::tell_encoder_request()
{
    std::optional<wire::EncoderConfig> request;
    {
        const auto shared = shared_.lock();
        for (const auto &[id, client] : shared->clients) {
            if (client.encoder_request)
                request =
                    request ? cheapest(*request, *client.encoder_request) : *client.encoder_request;
        }
    }
    const bool is_said = std::exchange(is_request_new_, false) && request;
    if (std::exchange(told_request_, request) != request || is_said)
        observer_.encoder_requested(request);
}

void FrameSender::remove(Shared &shared, const Removal &removal)
{
    const auto found = shared.clients.find(removal.peer.id);
    count_last(shared.stats, found->second.peer);
    ++shared.stats.disconnects;
    shared.stats.protocol_errors += removal.reason == RemovalReason::violation ? 1 : 0;
    shared.stats.slow_peers += removal.reason == RemovalReason::slow ? 1 : 0;
    // A connection that lived a while is made again soon.
    if (found->second.peer.counters().frames > 0)
        backoff_.reset();
    next_try_ = monotonic_now() + backoff_.next();
    // Closing alone would do neither, if a forked child still had the descriptor.
    watch(EPOLL_CTL_DEL, found->second.peer.fd(), 0, 0);
    ::shutdown(found->second.peer.fd(), SHUT_RDWR);
    shared.clients.erase(found);
}

void FrameSender::report(const Removal &removal)
{
    observer_.peer_removed(removal.peer, removal.reason, removal.detail);
}

} // namespace jkvm
