// SPDX-License-Identifier: LGPL-2.1-or-later
#include "item_queue.h"

#include <algorithm>

namespace jkvm {

void ItemQueue::push(GstRef<GstBuffer> buffer, nanoseconds duration)
{
    ++level_.buffers;
    level_.bytes += static_cast<guint>(gst_buffer_get_size(buffer.get()));
    level_.time += duration;
    items_.emplace_back(Frame{std::move(buffer), duration});
}

bool ItemQueue::starts_with_buffer() const
{
    return !items_.empty() && std::holds_alternative<Frame>(items_.front());
}

GstEvent *ItemQueue::next_event() const
{
    const auto *event = items_.empty() ? nullptr : std::get_if<GstRef<GstEvent>>(&items_.front());
    return event != nullptr ? event->get() : nullptr;
}

GstQuery *ItemQueue::next_query() const
{
    const auto *query = items_.empty() ? nullptr : std::get_if<GstQuery *>(&items_.front());
    return query != nullptr ? *query : nullptr;
}

void ItemQueue::remove(GstQuery *query)
{
    std::erase_if(items_, [query](const Item &item) {
        const auto *candidate = std::get_if<GstQuery *>(&item);
        return candidate != nullptr && *candidate == query;
    });
}

GstRef<GstBuffer> ItemQueue::take_oldest_buffer()
{
    const auto item = std::find_if(items_.begin(), items_.end(), [](const Item &candidate) {
        return std::holds_alternative<Frame>(candidate);
    });
    auto frame = std::move(std::get<Frame>(*item));
    items_.erase(item);
    --level_.buffers;
    level_.bytes -= static_cast<guint>(gst_buffer_get_size(frame.buffer.get()));
    level_.time -= frame.duration;
    return std::move(frame.buffer);
}

std::size_t ItemQueue::excess_over(guint bytes) const
{
    std::size_t excess = 0;
    auto left = level_;
    for (auto item = items_.begin(); left.bytes > bytes && left.buffers > 1; ++item) {
        if (const auto *frame = std::get_if<Frame>(&*item)) {
            left.bytes -= static_cast<guint>(gst_buffer_get_size(frame->buffer.get()));
            --left.buffers;
            ++excess;
        }
    }
    return excess;
}

std::vector<GstRef<GstEvent>> ItemQueue::clear()
{
    std::vector<GstRef<GstEvent>> events;
    for (auto &item : items_)
        if (auto *event = std::get_if<GstRef<GstEvent>>(&item))
            events.push_back(std::move(*event));
    items_.clear();
    level_ = {};
    return events;
}

} // namespace jkvm
