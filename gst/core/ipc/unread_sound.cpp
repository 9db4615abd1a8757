// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/unread_sound.h"

#include <algorithm>

namespace jkvm {

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
    last_memory_ = learned.memory;
}

void UnreadSound::note_sent(nanoseconds duration, std::size_t size)
{
    // Most messages are as large as the one before.
    const int memory = classes_[class_of(size)].memory;
    sent_.push_back({duration, memory > 0 ? memory : last_memory_});
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
