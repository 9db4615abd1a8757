// SPDX-License-Identifier: LGPL-2.1-or-later
#include "element_list.h"

#include <string_view>

namespace jkvm {

namespace {

bool has_stats(GstElement *element)
{
    const auto *stats = g_object_class_find_property(G_OBJECT_GET_CLASS(element), "stats");
    return stats != nullptr && stats->value_type == GST_TYPE_STRUCTURE;
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
    (void)existing();
    elements_.lock()->emplace_back(element);
}

std::vector<GstRef<GstElement>> ElementList::existing()
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
