// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/timestamp_following.h"

#include "common/gst_ref.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace jkvm {

namespace {

constexpr const char *query_name = "jkvm-follows-timestamps";

// Elements with one source pad whose output has the timestamps of the input. Whether any other
// element keeps them, or repeats its input, is unknown.
constexpr std::array<std::string_view, 5> transparent_elements{"opusdec", "queue", "capsfilter",
                                                               "identity", "volume"};

bool is_transparent(GstElement *element)
{
    auto *factory = gst_element_get_factory(element);
    return factory != nullptr && std::find(transparent_elements.begin(), transparent_elements.end(),
                                           GST_OBJECT_NAME(factory)) != transparent_elements.end();
}

/// The only pad of that direction; null if there are several or none.
GstRef<GstPad> only_pad(GstElement *element, GstPadDirection direction)
{
    GST_OBJECT_LOCK(element);
    auto *pads = direction == GST_PAD_SRC ? element->srcpads : element->sinkpads;
    auto pad = pads != nullptr && pads->next == nullptr
                   ? GstRef<GstPad>::share(static_cast<GstPad *>(pads->data))
                   : GstRef<GstPad>();
    GST_OBJECT_UNLOCK(element);
    return pad;
}

/// The pad inside the bin, or outside if `pad` is the inner side of a bin's source pad; otherwise
/// null.
GstRef<GstPad> through_bin(GstPad *pad)
{
    if (GST_IS_GHOST_PAD(pad))
        return GstRef<GstPad>::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD(pad)));
    const auto ghost = GstRef<GstProxyPad>::adopt(gst_proxy_pad_get_internal(GST_PROXY_PAD(pad)));
    return ghost ? GstRef<GstPad>::adopt(gst_pad_get_peer(GST_PAD(ghost.get()))) : GstRef<GstPad>();
}

bool is_path_transparent(GstPad *src)
{
    auto pad = GstRef<GstPad>::adopt(gst_pad_get_peer(src));
    while (pad) {
        if (GST_IS_PROXY_PAD(pad.get())) {
            pad = through_bin(pad.get());
            continue;
        }
        const auto element = GstRef<GstElement>::adopt(gst_pad_get_parent_element(pad.get()));
        if (!element)
            return false;
        if (GST_OBJECT_FLAG_IS_SET(element.get(), GST_ELEMENT_FLAG_SINK))
            return true;
        const auto next = only_pad(element.get(), GST_PAD_SRC);
        if (!next || !only_pad(element.get(), GST_PAD_SINK) || !is_transparent(element.get()))
            return false;
        pad = GstRef<GstPad>::adopt(gst_pad_get_peer(next.get()));
    }
    return false;
}

} // namespace

bool sink_follows_timestamps(GstPad *src)
{
    if (!is_path_transparent(src))
        return false;
    const auto query = GstRef<GstQuery>::adopt(
        gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(query_name)));
    gboolean follows = FALSE;
    if (gst_pad_peer_query(src, query.get()) != FALSE)
        gst_structure_get_boolean(gst_query_get_structure(query.get()), "follows", &follows);
    return follows != FALSE;
}

bool answer_timestamp_following(GstQuery *query, bool follows)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM ||
        !gst_structure_has_name(gst_query_get_structure(query), query_name))
        return false;
    gst_structure_set(gst_query_writable_structure(query), "follows", G_TYPE_BOOLEAN,
                      static_cast<gboolean>(follows), nullptr);
    return true;
}

} // namespace jkvm
