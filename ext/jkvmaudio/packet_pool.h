// SPDX-License-Identifier: LGPL-2.1-or-later
// A buffer pool that keeps account of itself.
#pragma once

#include "common/gst_ref.h"

#include <cstddef>
#include <cstdint>

namespace jkvm {

class PacketPool {
public:
    struct Stats {
        std::uint64_t size = 0;        ///< buffers that there are
        std::uint64_t outstanding = 0; ///< of them in use
        std::uint64_t hits = 0;        ///< times that a ready buffer was there
        std::uint64_t misses = 0;      ///< times that one had to be made
        std::uint64_t allocations = 0; ///< buffers made so far, those at the start included
    };

    /// Of buffers of so many bytes. Nothing when there is no memory.
    static PacketPool create(std::size_t buffer_size);
    PacketPool() = default;
    PacketPool(PacketPool &&) = default;
    PacketPool &operator=(PacketPool &&other) noexcept;
    ~PacketPool() { close(); }

    explicit operator bool() const { return static_cast<bool>(pool_); }
    /// Never waits; nothing when there is no memory. Streaming thread.
    GstRef<GstBuffer> acquire();
    /// Any thread that knows it to be open.
    [[nodiscard]] Stats stats() const;

private:
    void close();

    GstRef<GstBufferPool> pool_;
};

} // namespace jkvm
