// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/unread_sound.h"

namespace jkvm {

void UnreadSound::note_sent(nanoseconds duration, int before, int after)
{
    sent_.erase(sent_.begin(), sent_.end() - static_cast<std::ptrdiff_t>(count(before)));
    // Else the reader took something meanwhile; most messages are as large as the one before.
    if (after > before)
        last_memory_ = after - before;
    sent_.push_back({duration, last_memory_});
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
