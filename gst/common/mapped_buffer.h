// SPDX-License-Identifier: LGPL-2.1-or-later
// Maps a GstBuffer and gives access to its memory as a span.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <span>

namespace jkvm {

/// Maps the buffer for the lifetime of this object.
class MappedBuffer {
public:
    /// The buffer must outlive the mapping. For writing, buffer and memory must be writable.
    MappedBuffer(GstBuffer *buffer, GstMapFlags flags)
        : buffer_(buffer), memory_(only_memory(buffer)),
          is_mapped_((memory_ != nullptr ? gst_memory_map(memory_, &info_, flags)
                                         : gst_buffer_map(buffer, &info_, flags)) != FALSE)
    {}
    MappedBuffer(const MappedBuffer &) = delete;
    MappedBuffer &operator=(const MappedBuffer &) = delete;
    ~MappedBuffer()
    {
        if (is_mapped_ && memory_ != nullptr)
            gst_memory_unmap(memory_, &info_);
        else if (is_mapped_)
            gst_buffer_unmap(buffer_, &info_);
    }

    explicit operator bool() const { return is_mapped_; }
    [[nodiscard]] std::span<std::byte> bytes() const
    {
        return std::as_writable_bytes(std::span(info_.data, is_mapped_ ? info_.size : 0));
    }

private:
    /// Returns the memory of a buffer that has a single one, which is cheaper to map; else null.
    static GstMemory *only_memory(GstBuffer *buffer)
    {
        return gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : nullptr;
    }

    GstBuffer *buffer_;
    GstMemory *memory_; // null unless the buffer has a single memory
    GstMapInfo info_{};
    bool is_mapped_;
};

/// Sets the size of a pooled buffer, whose single memory has no other owner.
inline void set_used_size(GstBuffer *buffer, std::size_t size)
{
    gst_memory_resize(gst_buffer_peek_memory(buffer, 0), 0, size);
}

} // namespace jkvm
