// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/unread_sound.h"

#include <algorithm>
#include <bit>

namespace jkvm {

namespace {

/// What a Unix stream socket of Linux 6 takes on 64 bit: a struct sk_buff, the bytes with a struct
/// skb_shared_info behind them in the next larger piece of the allocator, and pages for what does
/// not fit into one page.
int usual_memory(std::size_t size)
{
    constexpr std::size_t head = 256;
    constexpr std::size_t shared_info = 320;
    constexpr std::size_t page = 4096;
    constexpr std::size_t most_in_one = page - shared_info;
    const auto whole_pages = [](std::size_t bytes) { return (bytes + page - 1) / page * page; };
    const auto beyond = size > most_in_one ? whole_pages(size - most_in_one) : 0;
    const auto in_pages = std::min(size, beyond);
    return static_cast<int>(head + std::bit_ceil(size - in_pages + shared_info) +
                            whole_pages(in_pages));
}

} // namespace

std::size_t UnreadSound::class_of(std::size_t size)
{
    return std::min((size + grain - 1) / grain, rare);
}

bool UnreadSound::is_learning(std::size_t size) const
{
    return class_of(size) == rare || classes_[class_of(size)].seen < lessons;
}

void UnreadSound::learn(std::size_t size, int before, int after)
{
    if (after <= before) // the reader took something meanwhile
        return;
    auto &learned = classes_[class_of(size)];
    const int memory = after - before;
    learned.memory = class_of(size) == rare ? memory : std::max(learned.memory, memory);
    ++learned.seen;
}

int UnreadSound::memory_of(std::size_t size) const
{
    const auto &seen = classes_[class_of(size)];
    return seen.memory > 0 ? seen.memory : usual_memory(size);
}

void UnreadSound::note_sent(nanoseconds duration, std::size_t size)
{
    sent_.push_back({duration, memory_of(size)});
    sum_ += duration;
}

nanoseconds UnreadSound::look(int memory)
{
    sum_ = time(memory);
    sent_.erase(sent_.begin(), sent_.end() - static_cast<std::ptrdiff_t>(count(memory)));
    return sum_;
}

nanoseconds UnreadSound::time(int memory) const
{
    nanoseconds sum{0};
    for (auto i = sent_.size() - count(memory); i < sent_.size(); ++i)
        sum += sent_[i].duration;
    return sum;
}

std::size_t UnreadSound::count(int memory) const
{
    std::size_t count = 0;
    for (auto sent = sent_.rbegin(); sent != sent_.rend() && sent->memory <= memory; ++sent) {
        memory -= sent->memory;
        ++count;
    }
    return count;
}

} // namespace jkvm
