// SPDX-License-Identifier: LGPL-2.1-or-later
// Builds the GstStructures of statistics and messages; the type of a field follows from its value.
#pragma once

#include "core/base/time.h"

#include <gst/gst.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace jkvm {

///     return Fields().set("frames", frames).set("latency", 20ms).release("application/x-...");
class Fields {
public:
    Fields() : structure_(gst_structure_new_empty("fields")) {}

    /// Stores a gboolean, gint, guint, gint64 or guint64, depending on the type of the value.
    template <std::integral T>
    Fields &set(const char *name, T value)
    {
        if constexpr (std::same_as<T, bool>)
            gst_structure_set(get(), name, G_TYPE_BOOLEAN, static_cast<gboolean>(value), nullptr);
        else if constexpr (sizeof(T) <= sizeof(gint) && std::is_signed_v<T>)
            gst_structure_set(get(), name, G_TYPE_INT, static_cast<gint>(value), nullptr);
        else if constexpr (sizeof(T) <= sizeof(gint))
            gst_structure_set(get(), name, G_TYPE_UINT, static_cast<guint>(value), nullptr);
        else if constexpr (std::is_signed_v<T>)
            gst_structure_set(get(), name, G_TYPE_INT64, static_cast<gint64>(value), nullptr);
        else
            gst_structure_set(get(), name, G_TYPE_UINT64, static_cast<guint64>(value), nullptr);
        return *this;
    }
    /// Stores a gdouble.
    Fields &set(const char *name, double value)
    {
        gst_structure_set(get(), name, G_TYPE_DOUBLE, value, nullptr);
        return *this;
    }
    /// Stores a guint64 in nanoseconds; a negative time becomes 0.
    Fields &set(const char *name, nanoseconds value)
    {
        return set(name, static_cast<guint64>(std::max(value, nanoseconds(0)).count()));
    }
    /// Stores a GstValueArray of guint64.
    Fields &set(const char *name, std::span<const std::uint64_t> values)
    {
        GValue array = G_VALUE_INIT;
        gst_value_array_init(&array, static_cast<guint>(values.size()));
        for (const auto entry : values) {
            GValue value = G_VALUE_INIT;
            g_value_init(&value, G_TYPE_UINT64);
            g_value_set_uint64(&value, entry);
            gst_value_array_append_and_take_value(&array, &value);
        }
        gst_structure_take_value(get(), name, &array);
        return *this;
    }
    Fields &set(const char *name, const std::string &value)
    {
        // Strings in a GstStructure must be UTF-8, unlike paths.
        gchar *valid = g_utf8_make_valid(value.c_str(), static_cast<gssize>(value.size()));
        gst_structure_set(get(), name, G_TYPE_STRING, valid, nullptr);
        g_free(valid);
        return *this;
    }
    /// Stores a GstStructure named `inner_name`.
    Fields &set(const char *name, const char *inner_name, Fields inner)
    {
        GValue value = G_VALUE_INIT;
        g_value_init(&value, GST_TYPE_STRUCTURE);
        g_value_take_boxed(&value, inner.release(inner_name));
        gst_structure_take_value(get(), name, &value);
        return *this;
    }
    /// Stores a GstValueArray of GstStructure, each named `entry_name`.
    Fields &set(const char *name, const char *entry_name, std::vector<Fields> entries)
    {
        GValue array = G_VALUE_INIT;
        gst_value_array_init(&array, static_cast<guint>(entries.size()));
        for (auto &entry : entries) {
            GValue value = G_VALUE_INIT;
            g_value_init(&value, GST_TYPE_STRUCTURE);
            g_value_take_boxed(&value, entry.release(entry_name));
            gst_value_array_append_and_take_value(&array, &value);
        }
        gst_structure_take_value(get(), name, &array);
        return *this;
    }

    /// Appends all fields of another object.
    Fields &append(const Fields &other)
    {
        const auto copy = [](GQuark id, const GValue *value, gpointer to) noexcept -> gboolean {
            gst_structure_id_set_value(static_cast<GstStructure *>(to), id, value);
            return TRUE;
        };
        gst_structure_foreach(other.get(), copy, get());
        return *this;
    }

    /// Names the structure and transfers it to the caller.
    [[nodiscard]] GstStructure *release(const char *name)
    {
        gst_structure_set_name(get(), name);
        return structure_.release();
    }

private:
    struct Free {
        void operator()(GstStructure *structure) const { gst_structure_free(structure); }
    };
    [[nodiscard]] GstStructure *get() const { return structure_.get(); }

    std::unique_ptr<GstStructure, Free> structure_;
};

} // namespace jkvm
