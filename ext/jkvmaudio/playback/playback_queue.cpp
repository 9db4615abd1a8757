// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_queue.h"

#include <algorithm>
#include <utility>

namespace jkvm {

bool PlaybackQueue::push(const PlaybackItem &item, std::span<const std::byte> data)
{
    // Initial capacity of an item, sufficient for most packets.
    constexpr std::size_t common_size = 2048;
    const std::lock_guard lock(mutex_);
    if (count_ >= capacity)
        return false;
    auto &added = items_.at((first_ + count_++) % capacity);
    static_cast<PlaybackItem &>(added) = item;
    added.data.reserve(std::max(data.size(), common_size));
    added.data.assign(data.begin(), data.end());
    return true;
}

void PlaybackQueue::wait_for_room(nanoseconds limit)
{
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [this] { return is_interrupted_ || count_ < capacity; });
}

void PlaybackQueue::interrupt(bool is_interrupted)
{
    const std::lock_guard lock(mutex_);
    is_interrupted_ = is_interrupted;
    changed_.notify_all();
}

bool PlaybackQueue::pop(QueuedItem &item)
{
    const std::lock_guard lock(mutex_);
    if (count_ == 0 || has_flush_)
        return false;
    std::swap(item, items_.at(first_));
    first_ = (first_ + 1) % capacity;
    --count_;
    changed_.notify_all();
    return true;
}

void PlaybackQueue::flush()
{
    const std::lock_guard lock(mutex_);
    for (; count_ > 0; --count_, first_ = (first_ + 1) % capacity)
        flushed_ += items_.at(first_).kind == PlaybackItem::Kind::audio ? 1 : 0;
    has_flush_ = true;
    changed_.notify_all();
}

bool PlaybackQueue::take_flush()
{
    const std::lock_guard lock(mutex_);
    return std::exchange(has_flush_, false);
}

std::uint64_t PlaybackQueue::flushed() const
{
    const std::lock_guard lock(mutex_);
    return flushed_;
}

bool PlaybackQueue::is_full() const
{
    const std::lock_guard lock(mutex_);
    return count_ >= capacity;
}

bool PlaybackQueue::is_empty() const
{
    const std::lock_guard lock(mutex_);
    return count_ == 0;
}

} // namespace jkvm
