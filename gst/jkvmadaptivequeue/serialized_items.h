// SPDX-License-Identifier: LGPL-2.1-or-later
// Stores serialized events and queries until the buffers before them have left the queue.
#pragma once

#include "common/gst_ref.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

namespace jkvm {

/// Each item is stored with the number of the first buffer after it, and is due when no buffer with
/// a lower number is queued. Playout owns the order of the buffers. Thread-bound.
class SerializedItems {
public:
    using Item = std::variant<GstRef<GstEvent>, GstQuery *>;

    /// `next_buffer`: number that the next buffer will have.
    void push(GstRef<GstEvent> event, std::uint64_t next_buffer)
    {
        entries_.push_back({std::move(event), next_buffer});
    }
    /// The query is borrowed: its thread waits for the answer.
    void push(GstQuery *query, std::uint64_t next_buffer)
    {
        entries_.push_back({query, next_buffer});
    }

    /// The first item, if it is due. `oldest_buffer`: number of the oldest queued buffer, if any.
    [[nodiscard]] const Item *due(std::optional<std::uint64_t> oldest_buffer) const
    {
        if (entries_.empty())
            return nullptr;
        const auto &entry = entries_.front();
        const bool is_due = !oldest_buffer || *oldest_buffer >= entry.next_buffer;
        return is_due ? &entry.item : nullptr;
    }
    /// Removes the first item.
    Item take()
    {
        auto item = std::move(entries_.front().item);
        entries_.pop_front();
        return item;
    }
    void pop() { entries_.pop_front(); }
    /// Removes the query wherever it is in the queue.
    void remove(const GstQuery *query)
    {
        std::erase_if(entries_, [query](const Entry &entry) {
            const auto *candidate = std::get_if<GstQuery *>(&entry.item);
            return candidate != nullptr && *candidate == query;
        });
    }
    /// Removes all items. Returns the events, which may be sticky.
    std::vector<GstRef<GstEvent>> clear()
    {
        std::vector<GstRef<GstEvent>> events;
        for (auto &entry : entries_)
            if (auto *event = std::get_if<GstRef<GstEvent>>(&entry.item))
                events.push_back(std::move(*event));
        entries_.clear();
        return events;
    }

private:
    struct Entry {
        Item item;
        std::uint64_t next_buffer;
    };
    std::deque<Entry> entries_;
};

} // namespace jkvm
