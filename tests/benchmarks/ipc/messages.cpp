// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/ipc/messages.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

namespace jkvm::benchmark {

namespace {

using namespace std::chrono_literals;

// Interval of messages that do not count.
constexpr auto slow_pace = 2ms;

enum class Kind : std::uint8_t {
    early, ///< some listeners have not received a message yet
    counting,
    end,
};

// TOC byte of an Opus packet: CELT, fullband, stereo, one frame of 20 ms.
constexpr std::byte opus_toc{0xFC};
constexpr std::size_t kind_offset = 1;
constexpr std::size_t time_offset = 8;

} // namespace

std::optional<std::int64_t> MessageWriter::write(std::span<std::byte> message)
{
    auto kind = Kind::early;
    if (exchange_.is_counting)
        kind = counted_ < plan_.messages ? Kind::counting : Kind::end;
    if (exchange_.finished == plan_.all_listeners() || exchange_.has_failed)
        return std::nullopt;
    if (kind == Kind::end && !has_sent_all_) {
        has_sent_all_ = true;
        ++exchange_.sent;
        if (!exchange_.wait_until([this] { return exchange_.is_measured.load(); }))
            return std::nullopt;
    }
    if (kind == Kind::counting && plan_.pace == 0ns) {
        if (!wait_for_credit())
            return std::nullopt;
    } else {
        wait(kind == Kind::counting ? plan_.pace : slow_pace);
    }
    if (kind == Kind::counting)
        ++counted_;
    message[0] = opus_toc;
    message[kind_offset] = static_cast<std::byte>(kind);
    const auto now = now_ns();
    std::memcpy(&message[time_offset], &now, sizeof now);
    return now;
}

/// Does not catch up when it is late, because a burst would measure queueing.
void MessageWriter::wait(std::chrono::nanoseconds pace)
{
    next_ = std::max(next_ + pace, std::chrono::steady_clock::now());
    std::this_thread::sleep_until(next_);
}

bool MessageWriter::wait_for_credit()
{
    if (counted_ % Exchange::batch != 0)
        return true;
    for (unsigned i = 0; i < plan_.listeners; ++i) {
        if (!exchange_.take_credit(first_listener_ + i))
            return false;
    }
    return true;
}

void Listener::on_message(std::span<const std::byte> message)
{
    const auto now = now_ns();
    if (received_++ == 0)
        ++exchange_.receiving;
    switch (static_cast<Kind>(message[kind_offset])) {
    case Kind::early:
        break;
    case Kind::counting: {
        std::int64_t sent = 0;
        std::memcpy(&sent, &message[time_offset], sizeof sent);
        delays_.push_back(now - sent);
        last_ns_ = now;
        if (delays_.size() % Exchange::batch == 0)
            exchange_.add_credit(number_);
        break;
    }
    case Kind::end:
        if (!std::exchange(has_finished_, true))
            ++exchange_.finished;
        break;
    }
}

} // namespace jkvm::benchmark
