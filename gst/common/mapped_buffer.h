// SPDX-License-Identifier: LGPL-2.1-or-later
// A GstBuffer's memory as a span, for as long as the mapping lives.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <span>

namespace jkvm {

class MappedBuffer {
public:
    /// The buffer must outlive the mapping.
    MappedBuffer(GstBuffer *buffer, GstMapFlags flags)
        : buffer_(buffer), is_mapped_(gst_buffer_map(buffer, &info_, flags) != FALSE)
    {}
    MappedBuffer(const MappedBuffer &) = delete;
    MappedBuffer &operator=(const MappedBuffer &) = delete;
    ~MappedBuffer()
    {
        if (is_mapped_)
            gst_buffer_unmap(buffer_, &info_);
    }

    explicit operator bool() const { return is_mapped_; }
    [[nodiscard]] std::span<std::byte> bytes() const
    {
        return std::as_writable_bytes(std::span(info_.data, is_mapped_ ? info_.size : 0));
    }

private:
    GstBuffer *buffer_;
    GstMapInfo info_{};
    bool is_mapped_;
};

} // namespace jkvm
