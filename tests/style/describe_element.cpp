// SPDX-License-Identifier: LGPL-2.1-or-later
// Prints the properties and signals of an element as tab-separated lines, for
// docs/elements/generate.py.
//
//     parent    TYPE
//     property  NAME  TYPE  RANGE  DEFAULT  MUTABILITY  BLURB
//     signal    NAME  RETURN-TYPE  ARGUMENT-TYPE...
#include <gst/gst.h>

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string text_of(const GValue *value)
{
    if (G_VALUE_HOLDS_STRING(value)) {
        const char *text = g_value_get_string(value);
        return text != nullptr ? text : "none";
    }
    if (G_VALUE_HOLDS_ENUM(value)) {
        auto *type = static_cast<GEnumClass *>(g_type_class_ref(G_VALUE_TYPE(value)));
        const auto *entry = g_enum_get_value(type, g_value_get_enum(value));
        std::string nick = entry != nullptr ? entry->value_nick : "";
        g_type_class_unref(type);
        return nick;
    }
    if (GST_VALUE_HOLDS_ARRAY(value))
        return gst_value_array_get_size(value) == 0 ? "empty" : "";
    if (G_VALUE_HOLDS_BOXED(value))
        return "";
    if (G_VALUE_HOLDS_DOUBLE(value)) {
        std::ostringstream text;
        text << g_value_get_double(value);
        return text.str();
    }
    gchar *serialized = gst_value_serialize(value);
    std::string text = serialized != nullptr ? serialized : "";
    g_free(serialized);
    return text;
}

std::string nicks_of(GType type)
{
    auto *enum_class = static_cast<GEnumClass *>(g_type_class_ref(type));
    std::string nicks;
    for (guint i = 0; i < enum_class->n_values; ++i)
        nicks += (i > 0 ? ", " : "") + std::string(enum_class->values[i].value_nick);
    g_type_class_unref(enum_class);
    return nicks;
}

template <typename Number>
std::string range_text(Number minimum, Number maximum)
{
    std::ostringstream text;
    text << minimum << " to " << maximum;
    return text.str();
}

std::string range_of(const GParamSpec *spec)
{
    if (G_IS_PARAM_SPEC_INT(spec))
        return range_text(G_PARAM_SPEC_INT(spec)->minimum, G_PARAM_SPEC_INT(spec)->maximum);
    if (G_IS_PARAM_SPEC_UINT(spec))
        return range_text(G_PARAM_SPEC_UINT(spec)->minimum, G_PARAM_SPEC_UINT(spec)->maximum);
    if (G_IS_PARAM_SPEC_INT64(spec))
        return range_text(G_PARAM_SPEC_INT64(spec)->minimum, G_PARAM_SPEC_INT64(spec)->maximum);
    if (G_IS_PARAM_SPEC_UINT64(spec))
        return range_text(G_PARAM_SPEC_UINT64(spec)->minimum, G_PARAM_SPEC_UINT64(spec)->maximum);
    if (G_IS_PARAM_SPEC_DOUBLE(spec))
        return range_text(G_PARAM_SPEC_DOUBLE(spec)->minimum, G_PARAM_SPEC_DOUBLE(spec)->maximum);
    if (G_IS_PARAM_SPEC_ENUM(spec))
        return nicks_of(spec->value_type);
    return "";
}

const char *mutability_of(const GParamSpec *spec)
{
    if ((spec->flags & G_PARAM_WRITABLE) == 0)
        return "read-only";
    if ((spec->flags & GST_PARAM_MUTABLE_PLAYING) != 0)
        return "any state";
    if ((spec->flags & GST_PARAM_MUTABLE_PAUSED) != 0)
        return "up to PAUSED";
    return "NULL, READY";
}

void print_line(const std::vector<std::string> &fields)
{
    for (std::size_t i = 0; i < fields.size(); ++i)
        std::cout << (i > 0 ? "\t" : "") << fields[i];
    std::cout << "\n";
}

void print_properties(GObjectClass *klass)
{
    guint count = 0;
    auto **specs = g_object_class_list_properties(klass, &count);
    for (guint i = 0; i < count; ++i) {
        auto *spec = specs[i];
        if (spec->owner_type != G_TYPE_FROM_CLASS(klass))
            continue;
        print_line({"property", spec->name, g_type_name(spec->value_type), range_of(spec),
                    text_of(g_param_spec_get_default_value(spec)), mutability_of(spec),
                    g_param_spec_get_blurb(spec)});
    }
    g_free(specs);
}

void print_signals(GType type)
{
    guint count = 0;
    auto *ids = g_signal_list_ids(type, &count);
    for (guint i = 0; i < count; ++i) {
        GSignalQuery query;
        g_signal_query(ids[i], &query);
        std::vector<std::string> fields{"signal", query.signal_name,
                                        g_type_name(query.return_type)};
        for (guint argument = 0; argument < query.n_params; ++argument)
            fields.emplace_back(g_type_name(query.param_types[argument]));
        print_line(fields);
    }
    g_free(ids);
}

} // namespace

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    auto *element = argc == 2 ? gst_element_factory_make(argv[1], nullptr) : nullptr;
    if (element == nullptr) {
        std::cerr << "usage: describe-element ELEMENT; the element must exist\n";
        return 1;
    }
    gst_object_ref_sink(element);
    const auto type = G_OBJECT_TYPE(element);
    print_line({"parent", g_type_name(g_type_parent(type))});
    print_properties(G_OBJECT_GET_CLASS(element));
    print_signals(type);
    gst_object_unref(element);
    return 0;
}
