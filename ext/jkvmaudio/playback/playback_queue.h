// SPDX-License-Identifier: LGPL-2.1-or-later
// Passes packets from the streaming thread to the thread that owns the device.
#pragma once

#include "core/base/time.h"

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace jkvm {

/// Format from the sink pad's caps. Raw audio is interleaved at 48 kHz.
struct PlaybackFormat {
    enum class Coding { opus, s16, f32 };
    Coding coding = Coding::opus;
    unsigned channels = 2; ///< 1 or 2

    bool operator==(const PlaybackFormat &) const = default;
};

struct PlaybackItem {
    enum class Kind {
        audio,
        gap, ///< announced by a GAP event; lasts `duration`
        end, ///< of the stream: flushes the resampler
    };
    Kind kind = Kind::audio;
    PlaybackFormat format;
    std::optional<MonotonicTime> due; ///< of the first sample; nothing: as soon as possible
    nanoseconds timestamp{0};         ///< running time that `due` was calculated from
    nanoseconds duration{0};          ///< of the buffer or gap; 0: unknown
    std::optional<WallTime> captured; ///< when the first sample was captured, if that is known
    bool is_overdue = false;          ///< already late when it arrived at the sink
};

struct QueuedItem : PlaybackItem {
    std::vector<std::byte> data; ///< of Kind::audio
};

/// A bounded queue that reuses the memory of earlier items. Any thread.
class PlaybackQueue {
public:
    static constexpr std::size_t capacity = 32;

    /// Adds an item. `data` is copied. Returns false if the queue is full.
    bool push(const PlaybackItem &item, std::span<const std::byte> data);
    /// Blocks until the queue has room, interrupt(true) is called or `limit` has elapsed.
    void wait_for_room(nanoseconds limit);
    /// true: ends the current wait and every later one at once; false: waiting is possible again.
    void interrupt(bool is_interrupted);

    /// Moves the oldest item into `item` and keeps the memory of the previous one for reuse.
    /// Returns false if the queue is empty or a flush has to be taken first.
    bool pop(QueuedItem &item);
    /// Removes all items. Items that are added afterwards cannot be popped until take_flush() was
    /// called, so that the flush does not discard them too.
    void flush();
    /// Returns whether there was a flush since the last call.
    bool take_flush();
    /// Number of audio items that flushes have removed.
    [[nodiscard]] std::uint64_t flushed() const;
    [[nodiscard]] bool is_empty() const;
    [[nodiscard]] bool is_full() const;

private:
    mutable std::mutex mutex_; // guards the members below
    std::condition_variable changed_;
    bool is_interrupted_ = false;
    std::array<QueuedItem, capacity> items_; // a ring
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    bool has_flush_ = false; // see take_flush()
    std::uint64_t flushed_ = 0;
};

} // namespace jkvm
