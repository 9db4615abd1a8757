// SPDX-License-Identifier: LGPL-2.1-or-later
// Owned references to GStreamer objects; adopt() takes a reference over, share() adds one.
#pragma once

#include <gst/gst.h>

#include <type_traits>
#include <utility>

namespace jkvm {

/// A reference to a GstObject (GstClock, GstElement, GstBufferPool ...) or a GstMiniObject
/// (GstBuffer, GstCaps, GstEvent ...) that is released on destruction.
template <typename T>
class GstRef {
public:
    GstRef() = default;
    /// Takes over a reference from the caller ("transfer full").
    [[nodiscard]] static GstRef adopt(T *object) { return GstRef(object); }
    /// Adds a reference to a borrowed object ("transfer none").
    [[nodiscard]] static GstRef share(T *object)
    {
        if (object != nullptr)
            ref(object);
        return GstRef(object);
    }

    GstRef(const GstRef &other) : object_(share(other.object_).release()) {}
    GstRef(GstRef &&other) noexcept : object_(other.release()) {}
    GstRef &operator=(GstRef other) noexcept
    {
        std::swap(object_, other.object_);
        return *this;
    }
    ~GstRef()
    {
        if (object_ != nullptr)
            unref(object_);
    }

    [[nodiscard]] T *get() const { return object_; }
    /// Transfers the reference to the caller.
    [[nodiscard]] T *release() { return std::exchange(object_, nullptr); }
    explicit operator bool() const { return object_ != nullptr; }

private:
    explicit GstRef(T *object) : object_(object) {}

    // Every mini object starts with its GstMiniObject, every GstObject with its GObject instance.
    static constexpr bool is_mini_object =
        std::is_same_v<T, GstBuffer> || std::is_same_v<T, GstCaps> || std::is_same_v<T, GstEvent> ||
        std::is_same_v<T, GstMessage> || std::is_same_v<T, GstQuery> ||
        std::is_same_v<T, GstSample> || std::is_same_v<T, GstTagList>;
    static void ref(T *object)
    {
        if constexpr (is_mini_object)
            gst_mini_object_ref(GST_MINI_OBJECT_CAST(object));
        else
            gst_object_ref(object);
    }
    static void unref(T *object)
    {
        if constexpr (is_mini_object)
            gst_mini_object_unref(GST_MINI_OBJECT_CAST(object));
        else
            gst_object_unref(object);
    }

    T *object_ = nullptr;
};

} // namespace jkvm
