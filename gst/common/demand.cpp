// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/demand.h"

#include "common/gst_ref.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

// Unlinking a pad sends no event, so the links are checked again at this interval.
constexpr nanoseconds check_interval = 1s;

std::string path_of(GstElement *element)
{
    gchar *path = gst_object_get_path_string(GST_OBJECT(element));
    std::string result = path;
    g_free(path);
    return result;
}

/// Whether the element does nothing with the data but pass it on.
bool only_passes_data_on(GstElement *element)
{
    constexpr std::array<std::string_view, 6> factories{"tee",        "queue",      "queue2",
                                                        "multiqueue", "capsfilter", "opusparse"};
    const auto *factory = gst_element_get_factory(element);
    return factory != nullptr &&
           std::ranges::find(factories, std::string_view(GST_OBJECT_NAME(factory))) !=
               factories.end();
}

using Paths = std::vector<std::string>;

void find_ends(GstPad *source, Paths &ends);

void find_ends_behind(GstPad *sink, Paths &ends)
{
    const auto on_pad = [](const GValue *pad, gpointer data) noexcept {
        find_ends(GST_PAD(g_value_get_object(pad)), *static_cast<Paths *>(data));
    };
    auto *pads = gst_pad_iterate_internal_links(sink);
    while (pads != nullptr && gst_iterator_foreach(pads, on_pad, &ends) == GST_ITERATOR_RESYNC)
        gst_iterator_resync(pads);
    if (pads != nullptr)
        gst_iterator_free(pads);
}

/// Appends the path of each element in which the data of the source pad ends. An element of which
/// it is unknown whether it passes data on counts as an end. No data flows through a pad without a
/// peer.
void find_ends(GstPad *source, Paths &ends)
{
    const auto peer = GstRef<GstPad>::adopt(gst_pad_get_peer(source));
    if (!peer)
        return;
    if (GST_IS_PROXY_PAD(peer.get())) // the data enters or leaves a bin
        return find_ends_behind(peer.get(), ends);
    const auto element = GstRef<GstElement>::adopt(gst_pad_get_parent_element(peer.get()));
    if (element && only_passes_data_on(element.get()))
        find_ends_behind(peer.get(), ends);
    else
        ends.emplace_back(element ? path_of(element.get()) : std::string());
}

} // namespace

GstEvent *make_demand(GstElement *sink, guint listeners)
{
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                gst_structure_new(demand_name, "listeners", G_TYPE_UINT, listeners,
                                                  "sink", G_TYPE_STRING, path_of(sink).c_str(),
                                                  nullptr));
}

bool is_demand(GstEvent *event)
{
    return GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_UPSTREAM &&
           gst_event_has_name(event, demand_name);
}

void DownstreamDemand::reset()
{
    reports_.lock()->clear();
    is_unheard_ = false;
    has_changed_ = true;
}

bool DownstreamDemand::on_event(GstEvent *event)
{
    const bool is_relinked = GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE;
    if (is_relinked)
        reports_.lock()->clear();
    const bool has_changed = is_relinked || (is_demand(event) && record(event));
    if (has_changed)
        has_changed_ = true;
    return has_changed;
}

bool DownstreamDemand::record(GstEvent *event)
{
    const auto *fields = gst_event_get_structure(event);
    const char *sink = gst_structure_get_string(fields, "sink");
    Report report{.listeners = 0, .seqnum = gst_event_get_seqnum(event)};
    if (sink == nullptr || !gst_structure_get_uint(fields, "listeners", &report.listeners))
        return false;
    auto reports = reports_.lock();
    const auto [entry, is_new] = reports->try_emplace(sink, report);
    if (!is_new) {
        // Two threads of a sink may send their events in reverse order.
        if (gst_util_seqnum_compare(report.seqnum, entry->second.seqnum) < 0)
            return false;
        entry->second = report;
    }
    return true;
}

bool DownstreamDemand::may_be_unheard() const
{
    const auto reports = reports_.lock();
    return std::ranges::any_of(*reports,
                               [](const auto &report) { return report.second.listeners == 0; });
}

bool DownstreamDemand::is_unheard(GstPad *source, MonotonicTime now)
{
    if (!has_changed_.exchange(false) && now < next_check_)
        return is_unheard_;
    next_check_ = now + check_interval;
    is_unheard_ = false;
    if (!may_be_unheard())
        return false;
    Paths ends;
    find_ends(source, ends);
    auto reports = reports_.lock();
    // The report of a sink that is gone must not count for a later one of the same name.
    std::erase_if(*reports, [&](const auto &report) {
        return std::ranges::find(ends, report.first) == ends.end();
    });
    is_unheard_ = !ends.empty() && std::ranges::all_of(ends, [&](const auto &end) {
        const auto report = reports->find(end);
        return report != reports->end() && report->second.listeners == 0;
    });
    return is_unheard_;
}

} // namespace jkvm
