// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of FrameSender that the caller's threads use.
#include "core/ipc/send/frame_sender.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace jkvm {

namespace {

// How long stop() waits for peers to read what waits for them.
constexpr std::chrono::milliseconds final_write_time{100};

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
      schedule_(config_.pauses), watch_(config_.endpoint.path),
      peers_(poll_, wire::Format{config_.endpoint.direction, config_.dialect},
             config_.max_queue_time)
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

void FrameSender::send(std::span<const std::byte> packet, WallTime captured, nanoseconds duration)
{
    const wire::Header header{
        .type_code = wire::type_code(config_.dialect, wire::MessageType::opus_frame).value_or(0),
        .length = static_cast<std::uint32_t>(packet.size()),
        .timestamp = captured};
    // A message without a duration would be taken for a control message, and never dropped.
    constexpr nanoseconds shortest = std::chrono::microseconds(2500);
    OutgoingMessage message(
        wire::HeaderBytes({config_.endpoint.direction, config_.dialect}, header), packet,
        std::max(duration, shortest), captured);
    const auto now = monotonic_now();
    const auto wall = wall_now();

    auto peers = peers_.lock();
    const bool needs_tending = peers->send(message, now, wall);
    auto &stats = peers->counters();
    ++stats.frames;
    stats.bytes += packet.size();
    stats.unheard += peers->size() == 0 ? 1 : 0;
    stats.last_frame = wall;
    stats.latency.record(wall - captured);
    stats.sending += monotonic_now() - now;
    if (needs_tending)
        tend_.set();
}

void FrameSender::set_stream(const wire::StreamConfig &stream)
{
    peers_.lock()->set_stream(stream);
}

FrameSender::Stats FrameSender::stats() const
{
    return peers_.lock()->stats();
}

} // namespace jkvm
