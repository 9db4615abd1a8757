// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_queue.h"

#include <utility>

namespace jkvm {

bool PlaybackQueue::push(const PlaybackItem &item, std::span<const std::byte> data)
{
    const std::lock_guard lock(mutex_);
    if (items_.size() >= capacity)
        return false;
    PlaybackItem added;
    if (!spare_.empty()) {
        added.data = std::move(spare_.back().data);
        spare_.pop_back();
    }
    added.kind = item.kind;
    added.format = item.format;
    added.due = item.due;
    added.duration = item.duration;
    added.data.assign(data.begin(), data.end());
    items_.push_back(std::move(added));
    return true;
}

void PlaybackQueue::wait_for_room(nanoseconds limit)
{
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [this] { return is_interrupted_ || items_.size() < capacity; });
}

void PlaybackQueue::interrupt(bool is_interrupted)
{
    const std::lock_guard lock(mutex_);
    is_interrupted_ = is_interrupted;
    changed_.notify_all();
}

bool PlaybackQueue::pop(PlaybackItem &item)
{
    const std::lock_guard lock(mutex_);
    if (items_.empty())
        return false;
    std::swap(item, items_.front());
    spare_.push_back(std::move(items_.front()));
    items_.pop_front();
    changed_.notify_all();
    return true;
}

void PlaybackQueue::clear()
{
    const std::lock_guard lock(mutex_);
    for (auto &item : items_)
        spare_.push_back(std::move(item));
    items_.clear();
    changed_.notify_all();
}

bool PlaybackQueue::is_full() const
{
    const std::lock_guard lock(mutex_);
    return items_.size() >= capacity;
}

bool PlaybackQueue::is_empty() const
{
    const std::lock_guard lock(mutex_);
    return items_.empty();
}

} // namespace jkvm
