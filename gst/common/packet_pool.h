// SPDX-License-Identifier: LGPL-2.1-or-later
// Bounded pool of packet buffers, shared by the sources; counts its hits and misses.
#pragma once

#include "common/fields.h"
#include "common/gst_ref.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace jkvm {

/// A GstBufferPool would need a GType of its own to count, and plugins that are linked statically
/// into one program cannot both register it. Instead, each buffer has a reference to its pool, to
/// which it returns when its last reference is dropped.
///
/// Buffers are acquired on one thread and may return on any. At most `bound` buffers belong to the
/// pool; when all of them are in use downstream, a plain buffer is allocated and freed after use.
class PacketPool {
    struct Shared;

public:
    /// Number of buffers allocated in advance: enough for a pipeline without a queue.
    static constexpr std::size_t initial = 4;
    /// Maximum number of buffers in the pool.
    static constexpr std::size_t bound = 64;

    struct Stats {
        std::uint64_t size = 0;        ///< buffers that belong to the pool, `bound` at most
        std::uint64_t outstanding = 0; ///< of these, in use downstream
        std::uint64_t hits = 0;        ///< requests served with a free buffer
        std::uint64_t misses = 0;      ///< requests that had to allocate
        std::uint64_t allocations = 0; ///< buffers allocated so far, including the initial ones
    };

    /// Reads the statistics of a pool from another thread; those of the last moment once the pool
    /// is closed. Zeros if it was created without a pool.
    class Monitor {
    public:
        Monitor() = default;
        [[nodiscard]] Stats stats() const;

    private:
        friend PacketPool;
        explicit Monitor(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {}
        std::shared_ptr<const Shared> shared_;
    };

    /// An empty handle; only assignment, destruction and the conversion to bool are allowed.
    PacketPool() = default;
    /// Allocates the initial buffers, each with room for `buffer_size` bytes.
    explicit PacketPool(std::size_t buffer_size);
    PacketPool(PacketPool &&) = default;
    PacketPool &operator=(PacketPool &&other) noexcept;
    /// Frees the unused buffers. Those in use are freed when their last reference is dropped.
    ~PacketPool() { close(); }

    explicit operator bool() const { return static_cast<bool>(shared_); }

    /// Returns a buffer of `buffer_size` bytes without flags, timestamps and metas, except for
    /// metas marked GST_META_FLAG_POOLED. Never blocks; empty when out of memory.
    [[nodiscard]] GstRef<GstBuffer> acquire();
    /// Returns a buffer with a copy of `packet`, which may be larger than `buffer_size`: such a
    /// packet counts as a miss. Never blocks; empty when out of memory.
    [[nodiscard]] GstRef<GstBuffer> acquire_copy(std::span<const std::byte> packet);
    [[nodiscard]] Monitor monitor() const { return Monitor(shared_); }
    [[nodiscard]] Stats stats() const { return monitor().stats(); }

private:
    void close();
    GstRef<GstBuffer> allocate(bool is_pooled) const;

    std::shared_ptr<Shared> shared_;
};

/// The statistics fields pool-size, pool-bound, pool-outstanding, pool-hits, pool-misses,
/// pool-allocations and pool-hit-percent.
Fields pool_fields(const PacketPool::Stats &stats);

} // namespace jkvm
