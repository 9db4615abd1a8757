// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/in_flight_audio.h"

#include "core/ipc/send/message_memory.h"

namespace jkvm {

void InFlightAudio::note_sent(nanoseconds duration, std::size_t size)
{
    sent_.push_back({duration, message_memory(size)});
    sum_ += duration;
}

nanoseconds InFlightAudio::update(int memory)
{
    sum_ = duration(memory);
    sent_.erase(sent_.begin(), sent_.end() - static_cast<std::ptrdiff_t>(count_unread(memory)));
    return sum_;
}

nanoseconds InFlightAudio::duration(int memory) const
{
    nanoseconds sum{0};
    for (auto i = sent_.size() - count_unread(memory); i < sent_.size(); ++i)
        sum += sent_[i].duration;
    return sum;
}

std::size_t InFlightAudio::count_unread(int memory) const
{
    std::size_t count = 0;
    for (auto sent = sent_.rbegin(); sent != sent_.rend() && sent->memory <= memory; ++sent) {
        memory -= sent->memory;
        ++count;
    }
    return count;
}

} // namespace jkvm
