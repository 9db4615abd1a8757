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

bool is_ours(gpointer object)
{
    return std::string_view(G_OBJECT_TYPE_NAME(object)).starts_with("GstJkvm");
}

void ElementList::add(GstElement *element)
{
    if (!is_ours(element) || !has_stats(element))
        return;
    // An application that makes and unmakes elements for days may never be scraped.
    (void)living();
    elements_.lock()->emplace_back(element);
}

std::vector<GstRef<GstElement>> ElementList::living()
{
    // References are given back with no lock held: the last one frees an element, which takes time.
    std::vector<GstRef<GstElement>> living;
    auto elements = elements_.lock();
    std::erase_if(*elements, [&](Weak &weak) {
        auto element = weak.get();
        if (!element)
            return true;
        living.push_back(std::move(element));
        return false;
    });
    return living;
}

} // namespace jkvm
