// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_uri.h"

#include "common/gst_ref.h"

#include <gst/base/gstbasesink.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jkvm {

namespace {

constexpr const char *protocol = "jkvm";

struct Free {
    void operator()(gchar *text) const { g_free(text); }
};
using Text = std::unique_ptr<gchar, Free>;

/// Whether a URI can have the property as a parameter: the element's own properties that can be set
/// in READY, except for the path.
bool is_parameter(const GObject *element, const GParamSpec *spec)
{
    return spec->owner_type == G_OBJECT_TYPE(element) && (spec->flags & G_PARAM_WRITABLE) != 0 &&
           (spec->flags & GST_PARAM_MUTABLE_READY) != 0 && std::string(spec->name) != "socket-path";
}

/// Whether the first character after any slashes is '@'. In a URI such a path has one slash more
/// than the property: "/@NAME" is the abstract socket @NAME, and "//@NAME" the file /@NAME.
bool has_slash_added(const std::string &path)
{
    const auto first = path.find_first_not_of('/');
    return first != std::string::npos && path[first] == '@';
}

bool fail(GError **error, GstURIError code, const std::string &text)
{
    g_set_error_literal(error, GST_URI_ERROR, code, text.c_str());
    return false;
}

/// GStreamer prints a warning for an array, list or range within an array of numbers, and there are
/// no other arrays here.
bool is_nested_array(GType type, std::string_view text)
{
    constexpr auto brackets = "<{[";
    return type == GST_TYPE_ARRAY && text.find_first_of(brackets) != text.find_last_of(brackets);
}

/// Reads one PROPERTY=VALUE into `value`, which it initialises.
bool read_value(GObject *element, const std::string &name, const char *text, GValue *value,
                GError **error)
{
    const auto *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name.c_str());
    if (spec == nullptr || !is_parameter(element, spec))
        return fail(error, GST_URI_ERROR_UNSUPPORTED_PROTOCOL,
                    "a jkvm URI has no parameter \"" + name + "\"");
    g_value_init(value, spec->value_type);
    const bool is_valid =
        text != nullptr && !is_nested_array(spec->value_type, text) &&
        gst_value_deserialize_with_pspec(value, text, const_cast<GParamSpec *>(spec)) &&
        !g_param_value_validate(const_cast<GParamSpec *>(spec), value);
    if (!is_valid)
        return fail(error, GST_URI_ERROR_BAD_URI,
                    "\"" + std::string(text != nullptr ? text : "") + "\" is no value for " + name);
    return true;
}

bool set_uri(GObject *element, const char *text, GError **error)
{
    GstState state = GST_STATE_NULL;
    gst_element_get_state(GST_ELEMENT(element), &state, nullptr, 0);
    if (state > GST_STATE_READY)
        return fail(error, GST_URI_ERROR_BAD_STATE, "the URI can be set in NULL and READY only");
    // GstUri would omit parameters that it cannot decode, and leak them.
    if (!Text(g_uri_unescape_string(text, nullptr)))
        return fail(error, GST_URI_ERROR_BAD_URI,
                    "a '%' in it is not followed by two hexadecimal digits other than 00: " +
                        std::string(text));
    const std::unique_ptr<GstUri, void (*)(GstUri *)> uri(gst_uri_from_string(text), [](GstUri *u) {
        if (u != nullptr)
            gst_uri_unref(u);
    });
    if (!uri || std::string(gst_uri_get_scheme(uri.get())) != protocol)
        return fail(error, GST_URI_ERROR_BAD_URI, "this is not a jkvm URI: " + std::string(text));
    if (gst_uri_get_host(uri.get()) != nullptr && *gst_uri_get_host(uri.get()) != '\0')
        return fail(error, GST_URI_ERROR_BAD_URI,
                    "a jkvm URI has no host; a path begins with the third slash: " +
                        std::string(text));

    // Read everything before anything is set, so that an invalid URI has no effect.
    struct Parameter {
        std::string name;
        GValue value;
    };
    std::vector<Parameter> parameters;
    bool is_good = true;
    GList *names = gst_uri_get_query_keys(uri.get());
    for (GList *item = names; item != nullptr && is_good; item = item->next) {
        const auto *name = static_cast<const char *>(item->data);
        parameters.push_back({name, G_VALUE_INIT});
        is_good = read_value(element, name, gst_uri_get_query_value(uri.get(), name),
                             &parameters.back().value, error);
    }
    g_list_free(names);
    if (is_good) {
        const Text path(gst_uri_get_path(uri.get()));
        std::string socket_path = path ? path.get() : "";
        if (socket_path.starts_with('/') && has_slash_added(socket_path))
            socket_path.erase(0, 1);
        const bool is_default = socket_path.empty() || socket_path == "/";
        g_object_set(element, "socket-path", is_default ? nullptr : socket_path.c_str(), nullptr);
        for (const auto &parameter : parameters)
            g_object_set_property(element, parameter.name.c_str(), &parameter.value);
    }
    for (auto &parameter : parameters) {
        if (G_IS_VALUE(&parameter.value))
            g_value_unset(&parameter.value);
    }
    return is_good;
}

std::string get_uri(GObject *element)
{
    gchar *path = nullptr;
    g_object_get(element, "socket-path", &path, nullptr);
    const Text owned(path);
    const std::string socket_path = path != nullptr ? path : "/";
    std::string text = std::string(protocol) + ":";
    // After two slashes a relative path would be a host.
    if (socket_path.starts_with('/') || has_slash_added(socket_path))
        text += "//";
    if (has_slash_added(socket_path))
        text += "/";
    const Text escaped_path(g_uri_escape_string(socket_path.c_str(), "/@", FALSE));
    text += escaped_path.get();
    guint count = 0;
    GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    char separator = '?';
    for (guint i = 0; i < count; ++i) {
        if (!is_parameter(element, specs[i]))
            continue;
        GValue value = G_VALUE_INIT;
        g_value_init(&value, specs[i]->value_type);
        g_object_get_property(element, specs[i]->name, &value);
        if (!g_param_value_defaults(specs[i], &value)) {
            const Text plain(gst_value_serialize(&value));
            const Text escaped(g_uri_escape_string(plain.get(), nullptr, FALSE));
            text += separator + std::string(specs[i]->name) + "=" + escaped.get();
            separator = '&';
        }
        g_value_unset(&value);
    }
    g_free(specs);
    return text;
}

void init_interface(gpointer interface, gpointer)
{
    auto *handler = static_cast<GstURIHandlerInterface *>(interface);
    handler->get_type = [](GType type) noexcept {
        return g_type_is_a(type, GST_TYPE_BASE_SINK) ? GST_URI_SINK : GST_URI_SRC;
    };
    handler->get_protocols = [](GType) noexcept -> const gchar *const * {
        static constexpr std::array<const gchar *, 2> protocols{protocol, nullptr};
        return protocols.data();
    };
    handler->get_uri = [](GstURIHandler *self) noexcept {
        return g_strdup(get_uri(G_OBJECT(self)).c_str());
    };
    handler->set_uri = [](GstURIHandler *self, const gchar *uri,
                          GError **error) noexcept -> gboolean {
        return set_uri(G_OBJECT(self), uri, error);
    };
}

} // namespace

void add_uri_handler(GType element_type)
{
    static const GInterfaceInfo info{init_interface, nullptr, nullptr};
    g_type_add_interface_static(element_type, GST_TYPE_URI_HANDLER, &info);
}

} // namespace jkvm
