// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/receive_engine.h"

#include <utility>

namespace jkvm {

Status ReceiveEngine::open(Config config)
{
    if (control_.fd() < 0)
        return Error{ErrorKind::out_of_resources, "an event", "eventfd failed"};
    wire::StreamConfig default_format;
    // A microphone is mono, so that the caps of its first gap are those of its frames.
    if (config.receiver.endpoint.direction == wire::Direction::microphone)
        default_format.channels = 1;
    auto receiver = FrameReceiver::open(std::move(config.receiver), control_);
    if (!receiver)
        return receiver.error();
    receiver_ = std::move(*receiver);
    control_.clear_requests();
    announced_pause_.lock()->reset();
    requests_unsupported_ = 0;
    has_waited_ = is_server_expected_ = is_connected_ = false;
    next_gap_ = {};
    auto received = received_.lock();
    *received = {.stream = ReceivedStream(config.timestamp_mode, default_format)};
    latency_ = received->stream.latency();
    return Done{};
}

void ReceiveEngine::close()
{
    receiver_.reset();
    auto received = received_.lock();
    received->stream.end_connection(false);
    received->rest.source.reset();
}

ReceiveEngine::Event ReceiveEngine::next(const std::function<ClockPair()> &read_clocks)
{
    for (;;) {
        apply_announced_pause();
        const bool is_idle = received_.lock()->stream.is_idle();
        // The first attempt to connect precedes the first gap.
        const bool may_have_gap = std::exchange(has_waited_, true) && is_idle;
        if (const auto gap = may_have_gap ? take_due_gap(read_clocks) : std::nullopt)
            return *gap;
        if (auto event = wait(read_clocks, is_idle ? next_gap_ : MonotonicTime::max()))
            return std::move(*event);
    }
}

void ReceiveEngine::announce_pause(const Pause &pause)
{
    *announced_pause_.lock() = pause;
    control_.end_wait();
}

void ReceiveEngine::apply_announced_pause()
{
    auto announced = announced_pause_.lock();
    if (!*announced)
        return;
    auto received = received_.lock();
    const bool was_idle = received->stream.is_idle();
    if (!received->stream.pause(**announced))
        return;
    announced->reset();
    if (!was_idle && received->stream.is_idle())
        next_gap_ = monotonic_now() + gap_interval;
}

std::optional<Gap> ReceiveEngine::take_due_gap(const std::function<ClockPair()> &read_clocks)
{
    const auto now = monotonic_now();
    if (now < next_gap_)
        return std::nullopt;
    next_gap_ = now + gap_interval;
    const auto running = read_clocks().running;
    return received_.lock()->stream.announce_gap(running);
}

std::optional<ReceiveEngine::Event> ReceiveEngine::wait(
    const std::function<ClockPair()> &read_clocks, MonotonicTime deadline)
{
    const auto event = receiver_->wait(deadline);
    requests_unsupported_ = receiver_->unsupported_requests();
    switch (event) {
    case FrameReceiver::Event::message:
        return on_message(read_clocks());
    case FrameReceiver::Event::connected:
        return on_connected();
    case FrameReceiver::Event::source_state:
        received_.lock()->rest.source = receiver_->source_state();
        return SourceChanged{receiver_->source_state()};
    case FrameReceiver::Event::unreachable:
        // It was reachable before the restart, so the connection ended meanwhile.
        if (std::exchange(is_server_expected_, false))
            return on_disconnected();
        return Unreachable{receiver_->error()};
    case FrameReceiver::Event::rejected:
        ++received_.lock()->rest.rejects;
        return Rejected{receiver_->error(),
                        receiver_->close_reason().value_or(wire::CloseReason::forbidden)};
    case FrameReceiver::Event::restarted:
        received_.lock()->stream.end_connection(false);
        is_connected_ = false;
        is_server_expected_ = true;
        return std::nullopt;
    case FrameReceiver::Event::disconnected:
        return on_disconnected();
    case FrameReceiver::Event::timed_out:
        return std::nullopt;
    case FrameReceiver::Event::interrupted:
        break;
    }
    return Interrupted{};
}

ReceiveEngine::Event ReceiveEngine::on_connected()
{
    auto received = received_.lock();
    received->stream.begin_connection();
    received->rest.buffers = receiver_->buffers();
    received->rest.dialect = receiver_->dialect();
    received->rest.source.reset();
    is_server_expected_ = false;
    next_gap_ = monotonic_now() + first_frame_timeout;
    return Connected{receiver_->peer(), std::exchange(is_connected_, true)};
}

ReceiveEngine::Event ReceiveEngine::on_disconnected()
{
    is_connected_ = false;
    const auto &error = receiver_->error();
    const bool is_violation = error.kind == ErrorKind::protocol_violation;
    auto received = received_.lock();
    received->stream.end_connection(is_violation);
    ++received->rest.disconnects;
    received->rest.source.reset();
    next_gap_ = monotonic_now();
    return Disconnected{error, is_violation, receiver_->close_reason()};
}

std::optional<ReceiveEngine::Event> ReceiveEngine::on_message(const ClockPair &now)
{
    auto received = received_.lock();
    auto &stream = received->stream;
    const bool had_stopped = stream.has_stopped();
    const auto outcome = stream.take(receiver_->message(), now);
    latency_ = stream.latency();
    received->rest.dialect = receiver_->dialect();
    received->rest.waiting = receiver_->waiting();
    if (stream.has_stopped() && !had_stopped) {
        next_gap_ = monotonic_now() + gap_interval;
        return SessionEnded{};
    }
    if (const auto *frame = std::get_if<Frame>(&outcome))
        return *frame;
    if (const auto *dropped = std::get_if<Dropped>(&outcome))
        return *dropped;
    return std::nullopt;
}

wire::StreamConfig ReceiveEngine::stream_config() const
{
    return received_.lock()->stream.config();
}

ReceiveEngine::Stats ReceiveEngine::stats() const
{
    const auto received = received_.lock();
    auto stats = received->rest;
    stats.stream = received->stream.stats();
    stats.drift_ppm = received->stream.drift_ppm();
    stats.requests_unsupported = requests_unsupported_;
    return stats;
}

} // namespace jkvm
