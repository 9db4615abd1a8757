// SPDX-License-Identifier: LGPL-2.1-or-later
#include "value_text.h"

#include <string_view>
#include <utility>

namespace jkvm {

namespace {

// GStreamer's parser is recursive. Statistics are nested three levels deep.
constexpr int max_depth = 16;

/// Whether the text is UTF-8, and its brackets outside of quotes are not nested too deeply.
bool is_safe(const std::string &text)
{
    if (g_utf8_validate(text.c_str(), static_cast<gssize>(text.size()), nullptr) == FALSE)
        return false;
    constexpr std::string_view opening = "<{[(";
    constexpr std::string_view closing = ">}])";
    int depth = 0;
    bool is_quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char character = text[i];
        if (character == '\\')
            ++i; // the next character has no meaning
        else if (character == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && opening.find(character) != std::string_view::npos)
            ++depth;
        else if (!is_quoted && closing.find(character) != std::string_view::npos)
            --depth;
        if (depth > max_depth)
            return false;
    }
    return true;
}

std::string take_text(gchar *text)
{
    std::string copy = text;
    g_free(text);
    return copy;
}

/// Removes the fields of a nested structure that cannot be expressed. Returns false if the value
/// itself cannot: an absent structure or absent caps are no text.
gboolean keep_expressible(GQuark, GValue *value, gpointer) noexcept
{
    if (!is_expressible(G_VALUE_TYPE(value)) ||
        (G_VALUE_HOLDS_BOXED(value) && g_value_get_boxed(value) == nullptr))
        return FALSE;
    if (GST_VALUE_HOLDS_STRUCTURE(value))
        gst_structure_filter_and_map_in_place(static_cast<GstStructure *>(g_value_get_boxed(value)),
                                              keep_expressible, nullptr);
    return TRUE;
}

} // namespace

std::string to_text(const GstStructure *structure)
{
    const OwnedStructure copy(gst_structure_copy(structure));
    gst_structure_filter_and_map_in_place(copy.get(), keep_expressible, nullptr);
    return take_text(gst_structure_to_string(copy.get()));
}

OwnedStructure structure_of(const std::string &text)
{
    gchar *end = nullptr;
    OwnedStructure structure(is_safe(text) ? gst_structure_from_string(text.c_str(), &end)
                                           : nullptr);
    return structure && *end == '\0' ? std::move(structure) : nullptr;
}

bool is_expressible(GType type)
{
    switch (G_TYPE_FUNDAMENTAL(type)) {
    case G_TYPE_BOOLEAN:
    case G_TYPE_INT:
    case G_TYPE_UINT:
    case G_TYPE_INT64:
    case G_TYPE_UINT64:
    case G_TYPE_LONG:
    case G_TYPE_ULONG:
    case G_TYPE_FLOAT:
    case G_TYPE_DOUBLE:
    case G_TYPE_ENUM:
    case G_TYPE_FLAGS:
    case G_TYPE_STRING:
        return true;
    default:
        return type == GST_TYPE_STRUCTURE || type == GST_TYPE_CAPS || type == GST_TYPE_ARRAY ||
               type == GST_TYPE_LIST || type == GST_TYPE_FRACTION;
    }
}

std::string to_utf8(const std::string &text)
{
    return take_text(g_utf8_make_valid(text.c_str(), static_cast<gssize>(text.size())));
}

std::optional<std::string> to_text(const GValue *value)
{
    GValue copy = G_VALUE_INIT;
    g_value_init(&copy, G_VALUE_TYPE(value));
    g_value_copy(value, &copy);
    auto *text =
        keep_expressible(0, &copy, nullptr) != FALSE ? gst_value_serialize(&copy) : nullptr;
    g_value_unset(&copy);
    return text != nullptr ? std::optional(take_text(text)) : std::nullopt;
}

bool set_from_text(GValue *value, const std::string &text, GParamSpec *spec)
{
    return is_safe(text) && gst_value_deserialize_with_pspec(value, text.c_str(), spec) != FALSE;
}

} // namespace jkvm
