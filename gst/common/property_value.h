// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts between the members that hold an element's settings and the GValues of its properties.
#pragma once

#include "core/base/time.h"

#include <gst/gst.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace jkvm {

inline constexpr auto read_only =
    static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
/// Takes effect at the next change from READY to PAUSED.
inline constexpr auto mutable_ready =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
/// Takes effect immediately.
inline constexpr auto mutable_playing = static_cast<GParamFlags>(
    G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
/// The same; a GstControlSource may set the value for each buffer.
inline constexpr auto controllable =
    static_cast<GParamFlags>(mutable_playing | GST_PARAM_CONTROLLABLE);

/// Registers the type of an enum property as part of the plugin's documented API. Must be called
/// once for each name, with values that live as long as the process.
inline GType register_enum(const char *name, const GEnumValue *values)
{
    const GType type = g_enum_register_static(name, values);
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
    return type;
}

/// The values that a property accepts, both bounds included. T also determines the type of the
/// property: a number is exposed as it is; a time as guint in milliseconds, gint64 in microseconds
/// or guint64 in nanoseconds. The member that holds the value may have another type of number or
/// time.
template <typename T>
struct Range {
    T minimum;
    T maximum;
};

template <typename A, typename B>
constexpr auto between(A minimum, B maximum)
{
    return Range<std::common_type_t<A, B>>{minimum, maximum};
}

/// A value of a registered enum type.
struct OneOf {
    GType type;
};

/// A type whose values need no range: bool, std::string, std::vector<unsigned>, GstStructure *.
struct AnyValue {};

struct PropertyText {
    const char *name;
    const char *nick;
    const char *blurb;
    GParamFlags flags;
};

/// How a member of type Member is exposed with the values `Values`. `get` reads a GValue, `set`
/// writes one.
template <typename Values, typename Member>
struct PropertyType;

template <typename T, auto make, auto read, auto write>
struct NumberType {
    static GParamSpec *make_spec(const PropertyText &text, const Range<T> &range, auto initial)
    {
        return make(text.name, text.nick, text.blurb, range.minimum, range.maximum,
                    std::clamp(static_cast<T>(initial), range.minimum, range.maximum), text.flags);
    }
    static T get(const GValue *value, const GParamSpec *) { return static_cast<T>(read(value)); }
    static void set(GValue *value, auto number, const GParamSpec *)
    {
        write(value, static_cast<T>(number));
    }
};

template <typename Member>
struct PropertyType<Range<int>, Member>
    : NumberType<int, g_param_spec_int, g_value_get_int, g_value_set_int> {};
template <typename Member>
struct PropertyType<Range<unsigned>, Member>
    : NumberType<unsigned, g_param_spec_uint, g_value_get_uint, g_value_set_uint> {};
template <typename Member>
struct PropertyType<Range<std::int64_t>, Member>
    : NumberType<std::int64_t, g_param_spec_int64, g_value_get_int64, g_value_set_int64> {};
template <typename Member>
struct PropertyType<Range<std::uint64_t>, Member>
    : NumberType<std::uint64_t, g_param_spec_uint64, g_value_get_uint64, g_value_set_uint64> {};
template <typename Member>
struct PropertyType<Range<double>, Member>
    : NumberType<double, g_param_spec_double, g_value_get_double, g_value_set_double> {};

template <typename Unit>
using CountOf = std::conditional_t<
    std::same_as<Unit, std::chrono::milliseconds>, unsigned,
    std::conditional_t<std::same_as<Unit, std::chrono::microseconds>, std::int64_t, std::uint64_t>>;

template <typename Period>
struct PropertyType<Range<std::chrono::duration<std::int64_t, Period>>, nanoseconds> {
    using Unit = std::chrono::duration<std::int64_t, Period>;
    using Count = PropertyType<Range<CountOf<Unit>>, CountOf<Unit>>;

    static GParamSpec *make_spec(const PropertyText &text, const Range<Unit> &range,
                                 nanoseconds initial)
    {
        return Count::make_spec(text, {count(range.minimum), count(range.maximum)}, count(initial));
    }
    static nanoseconds get(const GValue *value, const GParamSpec *spec)
    {
        return Unit(Count::get(value, spec));
    }
    static void set(GValue *value, nanoseconds time, const GParamSpec *spec)
    {
        Count::set(value, count(time), spec);
    }
    static CountOf<Unit> count(nanoseconds time)
    {
        return static_cast<CountOf<Unit>>(std::chrono::duration_cast<Unit>(time).count());
    }
};

template <typename Member>
struct PropertyType<OneOf, Member> {
    static GParamSpec *make_spec(const PropertyText &text, const OneOf &values, Member initial)
    {
        return g_param_spec_enum(text.name, text.nick, text.blurb, values.type,
                                 static_cast<int>(initial), text.flags);
    }
    static Member get(const GValue *value, const GParamSpec *)
    {
        return static_cast<Member>(g_value_get_enum(value));
    }
    static void set(GValue *value, Member member, const GParamSpec *)
    {
        g_value_set_enum(value, static_cast<int>(member));
    }
};

template <>
struct PropertyType<AnyValue, bool> {
    static GParamSpec *make_spec(const PropertyText &text, AnyValue, bool initial)
    {
        return g_param_spec_boolean(text.name, text.nick, text.blurb,
                                    static_cast<gboolean>(initial), text.flags);
    }
    static bool get(const GValue *value, const GParamSpec *)
    {
        return g_value_get_boolean(value) != FALSE;
    }
    static void set(GValue *value, bool is_set, const GParamSpec *)
    {
        g_value_set_boolean(value, static_cast<gboolean>(is_set));
    }
};

/// NULL sets the default. A string whose default is empty is NULL while it is empty.
template <>
struct PropertyType<AnyValue, std::string> {
    static GParamSpec *make_spec(const PropertyText &text, AnyValue, const std::string &initial)
    {
        return g_param_spec_string(text.name, text.nick, text.blurb,
                                   initial.empty() ? nullptr : initial.c_str(), text.flags);
    }
    static std::string get(const GValue *value, const GParamSpec *spec)
    {
        const char *text = g_value_get_string(value);
        if (text == nullptr)
            text = initial(spec);
        return text != nullptr ? text : "";
    }
    static void set(GValue *value, const std::string &text, const GParamSpec *spec)
    {
        const bool is_null = text.empty() && initial(spec) == nullptr;
        g_value_set_string(value, is_null ? nullptr : text.c_str());
    }
    static const char *initial(const GParamSpec *spec)
    {
        return reinterpret_cast<const GParamSpecString *>(spec)->default_value;
    }
};

/// As a GstValueArray of guint.
template <>
struct PropertyType<AnyValue, std::vector<unsigned>> {
    static GParamSpec *make_spec(const PropertyText &text, AnyValue, const std::vector<unsigned> &)
    {
        return gst_param_spec_array(
            text.name, text.nick, text.blurb,
            g_param_spec_uint("value", "Value", "Value", 0, G_MAXUINT, 0, text.flags), text.flags);
    }
    static std::vector<unsigned> get(const GValue *value, const GParamSpec *)
    {
        std::vector<unsigned> numbers;
        for (guint i = 0; i < gst_value_array_get_size(value); ++i)
            numbers.push_back(g_value_get_uint(gst_value_array_get_value(value, i)));
        return numbers;
    }
    static void set(GValue *value, const std::vector<unsigned> &numbers, const GParamSpec *)
    {
        for (const auto number : numbers) {
            GValue entry = G_VALUE_INIT;
            g_value_init(&entry, G_TYPE_UINT);
            g_value_set_uint(&entry, number);
            gst_value_array_append_and_take_value(value, &entry);
        }
    }
};

/// Read-only; the getter transfers the structure.
template <>
struct PropertyType<AnyValue, GstStructure *> {
    static GParamSpec *make_spec(const PropertyText &text, AnyValue, const GstStructure *)
    {
        return g_param_spec_boxed(text.name, text.nick, text.blurb, GST_TYPE_STRUCTURE, text.flags);
    }
    static void set(GValue *value, GstStructure *structure, const GParamSpec *)
    {
        g_value_take_boxed(value, structure);
    }
};

/// Returns the member that a chain of member pointers leads to.
template <typename Owner, typename Member, typename Class>
auto &member_at(Owner &owner, Member Class::*member)
{
    return owner.*member;
}
template <typename Owner, typename Member, typename Class, typename... Members>
auto &member_at(Owner &owner, Member Class::*member, Members... members)
{
    return member_at(owner.*member, members...);
}

/// Returns one more than the number of properties that the class itself, not its parents, has
/// installed.
inline guint next_property_id(GObjectClass *klass)
{
    guint count = 0;
    auto **specs = g_object_class_list_properties(klass, &count);
    const auto own = std::count_if(specs, specs + count, [klass](const GParamSpec *spec) {
        return spec->owner_type == G_TYPE_FROM_CLASS(klass);
    });
    g_free(specs);
    return static_cast<guint>(own) + 1;
}

} // namespace jkvm
