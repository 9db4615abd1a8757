// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands in the queue: buffers, and the serialized events and queries between them.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <cstddef>
#include <deque>
#include <variant>
#include <vector>

namespace jkvm {

/// Thread-bound; the owner's lock guards it.
class ItemQueue {
public:
    struct Level {
        guint buffers = 0;
        guint bytes = 0;
        nanoseconds time{0};
    };

    void push(GstRef<GstBuffer> buffer, nanoseconds duration);
    void push(GstRef<GstEvent> event) { items_.emplace_back(std::move(event)); }
    /// Borrowed: whoever asks waits for the answer.
    void push(GstQuery *query) { items_.emplace_back(query); }

    /// Whether a buffer is next. False when there is nothing.
    [[nodiscard]] bool starts_with_buffer() const;
    /// The event or query that is next; null otherwise.
    [[nodiscard]] GstEvent *next_event() const;
    [[nodiscard]] GstQuery *next_query() const;
    void pop() { items_.pop_front(); }
    /// Wherever it stands.
    void remove(GstQuery *query);
    /// The oldest buffer; what stands before it stays there. There must be one.
    GstRef<GstBuffer> take_oldest_buffer();

    [[nodiscard]] const Level &level() const { return level_; }
    /// How many of the oldest buffers must go for the others to have no more bytes together. The
    /// newest stays in any case.
    [[nodiscard]] std::size_t excess_over(guint bytes) const;
    /// Everything goes. Returns the events, which may be sticky.
    std::vector<GstRef<GstEvent>> clear();

private:
    struct Frame {
        GstRef<GstBuffer> buffer;
        nanoseconds duration;
    };
    using Item = std::variant<Frame, GstRef<GstEvent>, GstQuery *>;
    std::deque<Item> items_;
    Level level_;
};

} // namespace jkvm
