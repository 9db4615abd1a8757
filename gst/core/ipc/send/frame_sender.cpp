// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of FrameSender that the caller's threads use.
#include "core/ipc/send/frame_sender.h"

#include <cerrno>
#include <system_error>

namespace jkvm {

namespace {

// Maximum time for which stop() waits for peers to read their queued messages.
constexpr std::chrono::milliseconds final_write_time{100};

/// A listening end never serves a backlog, and an output receiver starts with the next frame.
nanoseconds effective_hold_time(const FrameSender::Config &config)
{
    const bool is_holding = config.endpoint.role == Role::connect &&
                            config.endpoint.direction == wire::Direction::microphone;
    return is_holding ? config.hold_time : nanoseconds(0);
}

} // namespace

Result<std::unique_ptr<FrameSender>> FrameSender::start(const Config &config, Observer &observer)
{
    const auto &path = config.endpoint.path;
    auto socket = ListeningSocket::open_if_listening(config.endpoint);
    if (!socket)
        return socket.error();
    std::unique_ptr<FrameSender> sender(new FrameSender(config, observer, std::move(*socket)));
    if (!sender->poll_.is_open())
        return system_error(ErrorKind::out_of_resources, path, "epoll_create1", errno);
    if (!sender->watch_descriptors())
        return system_error(ErrorKind::out_of_resources, path, "epoll_ctl", errno);
    try {
        sender->service_ = std::thread(&FrameSender::serve, sender.get());
    } catch (const std::system_error &error) {
        return system_error(ErrorKind::out_of_resources, path, "start of the service thread",
                            error.code().value());
    }
    return sender;
}

FrameSender::FrameSender(Config config, Observer &observer, std::optional<ListeningSocket> socket)
    : config_(std::move(config)), observer_(observer), socket_(std::move(socket)),
      schedule_(config_.pauses), watch_(socket_ ? "" : config_.endpoint.path),
      peers_(poll_, wire::Format{config_.endpoint.direction, config_.dialect},
             config_.max_queue_time, effective_hold_time(config_), config_.steering_uids)
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
        auto peers = peers_.lock();
        peers->finish(monotonic_now() + final_write_time);
        last = peers->infos();
        peers->clear();
    }
    for (const auto &peer : last)
        report({peer, RemovalReason::ended, {}});
    return stats();
}

unsigned FrameSender::send(std::span<const std::byte> packet, WallTime captured,
                           nanoseconds duration)
{
    const auto now = monotonic_now();
    const auto wall = wall_now();

    auto peers = peers_.lock();
    const auto sent = peers->send(packet, captured, duration, now, wall);
    auto &stats = peers->counters();
    ++stats.frames;
    stats.bytes += packet.size();
    stats.last_frame = wall;
    stats.latency.record(wall - captured);
    stats.sending += monotonic_now() - now;
    if (sent.needs_service)
        service_request_.set();
    return sent.dropped;
}

void FrameSender::set_stream(const wire::StreamConfig &stream)
{
    peers_.lock()->set_stream(stream);
}

void FrameSender::set_source_state(const wire::SourceState &state)
{
    peers_.lock()->set_source_state(state);
    service_request_.set();
}

FrameSender::Stats FrameSender::stats() const
{
    return peers_.lock()->stats();
}

} // namespace jkvm
