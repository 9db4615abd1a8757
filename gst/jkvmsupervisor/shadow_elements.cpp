// SPDX-License-Identifier: LGPL-2.1-or-later
#include "shadow_elements.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace jkvm {

namespace {

std::string name_of(gpointer object)
{
    gchar *name = gst_object_get_name(GST_OBJECT(object));
    std::string copy = name;
    g_free(name);
    return copy;
}

/// The elements of the launch line, none of which is started; empty if it cannot be parsed.
std::vector<GstRef<GstElement>> parse_elements(const std::string &launch)
{
    std::vector<GstRef<GstElement>> elements;
    auto *parsed =
        gst_parse_launch_full(launch.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, nullptr);
    if (parsed == nullptr)
        return elements;
    const auto root = GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(parsed)));
    if (!GST_IS_PIPELINE(root.get()))
        elements.push_back(root);
    if (!GST_IS_BIN(root.get()))
        return elements;
    const auto add = [](const GValue *item, gpointer list) noexcept {
        static_cast<std::vector<GstRef<GstElement>> *>(list)->push_back(
            GstRef<GstElement>::share(GST_ELEMENT(g_value_get_object(item))));
    };
    auto *children = gst_bin_iterate_recurse(GST_BIN(root.get()));
    gst_iterator_foreach(children, add, &elements);
    gst_iterator_free(children);
    return elements;
}

/// A name that GStreamer chose: the type's name in lower case and the number of its instance.
struct DefaultName {
    std::string type;
    unsigned number;
};

/// Returns nothing for a name from the launch line.
std::optional<DefaultName> default_name(GstElement *element, const std::string &launch)
{
    const auto name = name_of(element);
    std::string type = G_OBJECT_TYPE_NAME(element);
    if (type.starts_with("Gst"))
        type.erase(0, 3);
    std::ranges::transform(type, type.begin(), g_ascii_tolower);
    DefaultName result{type, 0};
    const char *end = name.data() + name.size();
    if (!name.starts_with(type) || launch.find(name) != std::string::npos ||
        std::from_chars(name.data() + type.size(), end, result.number).ptr != end)
        return std::nullopt;
    return result;
}

/// Names the elements as in a worker, where the first one of each type has the number 0.
std::vector<std::string> names_in_worker(const std::vector<GstRef<GstElement>> &elements,
                                         const std::string &launch)
{
    std::map<std::string, unsigned> first;
    for (const auto &element : elements)
        if (const auto name = default_name(element.get(), launch)) {
            const auto known = first.try_emplace(name->type, name->number).first;
            known->second = std::min(known->second, name->number);
        }
    std::vector<std::string> names;
    names.reserve(elements.size());
    for (const auto &element : elements) {
        const auto name = default_name(element.get(), launch);
        names.push_back(name ? name->type + std::to_string(name->number - first[name->type])
                             : name_of(element.get()));
    }
    return names;
}

} // namespace

void ShadowElements::remove_all()
{
    for (const auto &shadow : std::exchange(*shadows_.lock(), {})) {
        detach_shadow(shadow.get());
        gst_object_unparent(shadow.get());
    }
}

void ShadowElements::replace(const std::string &launch)
{
    const auto elements = parse_elements(launch);
    const auto names = names_in_worker(elements, launch);
    List shadows;
    shadows.reserve(elements.size());
    for (std::size_t i = 0; i < elements.size(); ++i) {
        shadows.push_back(
            make_shadow(elements[i].get(), names[i],
                        [this](GstObject *shadow, const char *property, const std::string &value) {
                            on_set(shadow, property, value);
                        }));
        gst_object_set_parent(shadows.back().get(), GST_OBJECT(bin_));
    }
    for (const auto &shadow : std::exchange(*shadows_.lock(), {})) {
        detach_shadow(shadow.get());
        gst_child_proxy_child_removed(GST_CHILD_PROXY(bin_), G_OBJECT(shadow.get()),
                                      name_of(shadow.get()).c_str());
        gst_object_unparent(shadow.get());
    }
    // Nothing can be set now.
    values_.lock()->clear();
    *shadows_.lock() = shadows;
    for (const auto &shadow : shadows)
        gst_child_proxy_child_added(GST_CHILD_PROXY(bin_), G_OBJECT(shadow.get()),
                                    name_of(shadow.get()).c_str());
}

void ShadowElements::on_set(GstObject *shadow, const char *property, const std::string &value)
{
    const Key key{name_of(shadow), property};
    auto values = values_.lock();
    (*values)[key] = value;
    send_(key, value);
}

void ShadowElements::send_all()
{
    const auto values = values_.lock();
    for (const auto &[key, value] : *values)
        send_(key, value);
}

GstRef<GstObject> ShadowElements::find(const std::string &element) const
{
    const auto shadows = shadows_.lock();
    const auto found = std::ranges::find_if(
        *shadows, [&](const auto &shadow) { return name_of(shadow.get()) == element; });
    return found != shadows->end() ? *found : GstRef<GstObject>();
}

void ShadowElements::report(const Key &key, const std::string &value)
{
    if (const auto shadow = find(key.first))
        (void)report_value(shadow.get(), key.second, value);
}

void ShadowElements::notify(const Key &key)
{
    const auto shadow = find(key.first);
    if (shadow && g_object_class_find_property(G_OBJECT_GET_CLASS(shadow.get()),
                                               key.second.c_str()) != nullptr)
        g_object_notify(G_OBJECT(shadow.get()), key.second.c_str());
}

guint ShadowElements::count() const
{
    return static_cast<guint>(shadows_.lock()->size());
}

GstRef<GstObject> ShadowElements::at(guint index) const
{
    const auto shadows = shadows_.lock();
    return index < shadows->size() ? (*shadows)[index] : GstRef<GstObject>();
}

} // namespace jkvm
