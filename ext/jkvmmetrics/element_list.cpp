// SPDX-License-Identifier: LGPL-2.1-or-later
#include "element_list.h"

#include <string_view>

namespace jkvm {

namespace {

bool has_stats(gpointer element)
{
    const auto *stats = g_object_class_find_property(G_OBJECT_GET_CLASS(element), "stats");
    return stats != nullptr && stats->value_type == GST_TYPE_STRUCTURE;
}

/// Appends the children that represent elements of a worker.
void append_shadows(GstElement *element, std::vector<GstRef<GstObject>> &objects)
{
    if (!GST_IS_CHILD_PROXY(element))
        return;
    auto *proxy = GST_CHILD_PROXY(element);
    const auto child_at = [proxy](guint index) {
        return GstRef<GstObject>::adopt(static_cast<GstObject *>(
            static_cast<gpointer>(gst_child_proxy_get_child_by_index(proxy, index))));
    };
    guint index = 0;
    while (const auto child = child_at(index++)) {
        const std::string_view type = G_OBJECT_TYPE_NAME(child.get());
        if (type.starts_with("GstJkvmShadow-GstJkvm") && has_stats(child.get()))
            objects.push_back(child);
    }
}

} // namespace

bool is_jkvm_object(gpointer object)
{
    return std::string_view(G_OBJECT_TYPE_NAME(object)).starts_with("GstJkvm");
}

void ElementList::add(GstElement *element)
{
    if (!is_jkvm_object(element) || !has_stats(element))
        return;
    // Removes references to freed elements, in case the process is never scraped.
    (void)prune();
    elements_.lock()->emplace_back(element);
}

std::vector<GstRef<GstObject>> ElementList::existing()
{
    std::vector<GstRef<GstObject>> objects;
    for (const auto &element : prune()) {
        objects.push_back(GstRef<GstObject>::share(GST_OBJECT(element.get())));
        append_shadows(element.get(), objects);
    }
    return objects;
}

std::vector<GstRef<GstElement>> ElementList::prune()
{
    // The references are released without the lock, because the last one frees the element.
    std::vector<GstRef<GstElement>> existing;
    auto elements = elements_.lock();
    std::erase_if(*elements, [&](Weak &weak) {
        auto element = weak.get();
        if (!element)
            return true;
        existing.push_back(std::move(element));
        return false;
    });
    return existing;
}

} // namespace jkvm
