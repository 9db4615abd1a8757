// SPDX-License-Identifier: LGPL-2.1-or-later
#include "element_view.h"

#include "element_list.h"

#include <string_view>

namespace jkvm {

namespace {

std::string name_of(GstObject *object)
{
    gchar *name = gst_object_get_name(object);
    std::string copy = name;
    g_free(name);
    return copy;
}

GstStructure *read_stats(GstObject *element)
{
    GstStructure *stats = nullptr;
    g_object_get(element, "stats", &stats, nullptr);
    return stats;
}

GParamSpec *find_property(GstObject *element, const char *name)
{
    return g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
}

/// Returns the outermost jkvm element around the element. The direction of an IPC element inside a
/// supervised bin is that of the link to the worker, not that of the audio.
GstRef<GstObject> outermost_jkvm_element(GstObject *element)
{
    auto outermost = GstRef<GstObject>::share(element);
    auto parent = GstRef<GstObject>::adopt(gst_object_get_parent(element));
    while (parent) {
        if (is_jkvm_object(parent.get()))
            outermost = parent;
        parent = GstRef<GstObject>::adopt(gst_object_get_parent(parent.get()));
    }
    return outermost;
}

/// Returns the property direction. Without one, a sink plays the microphone's audio, and any other
/// element is on the output path.
wire::Direction read_direction(GstObject *inner)
{
    const auto outermost = outermost_jkvm_element(inner);
    auto *element = outermost.get();
    const auto *spec = find_property(element, "direction");
    if (spec == nullptr || !G_IS_PARAM_SPEC_ENUM(spec))
        return GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SINK) ? wire::Direction::microphone
                                                                      : wire::Direction::output;
    gint direction = 0;
    g_object_get(element, "direction", &direction, nullptr);
    return static_cast<wire::Direction>(direction);
}

/// Returns the caps of the source pad or, without one, of the sink pad.
GstRef<GstCaps> read_caps(GstObject *element)
{
    if (!GST_IS_ELEMENT(element))
        return {};
    for (const char *name : {"src", "sink"}) {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(element), name));
        if (pad)
            return GstRef<GstCaps>::adopt(gst_pad_get_current_caps(pad.get()));
    }
    return {};
}

std::optional<double> number_of(const GValue *value)
{
    if (G_VALUE_HOLDS_ENUM(value))
        return g_value_get_enum(value);
    if (G_VALUE_HOLDS_BOOLEAN(value))
        return g_value_get_boolean(value);
    // GLib converts between all types of numbers.
    GValue number = G_VALUE_INIT;
    g_value_init(&number, G_TYPE_DOUBLE);
    if (!g_value_transform(value, &number))
        return std::nullopt;
    return g_value_get_double(&number);
}

std::optional<ElementView::Value> value_of(const GValue *value)
{
    if (value == nullptr)
        return std::nullopt;
    if (G_VALUE_HOLDS_STRING(value))
        return ElementView::Value{1, g_value_get_string(value)};
    if (const auto number = number_of(value))
        return ElementView::Value{*number, {}};
    return std::nullopt;
}

} // namespace

ElementView::ElementView(GstObject *element)
    : element_(element), stats_(read_stats(element)), caps_(read_caps(element)),
      name_(name_of(element)), direction_(read_direction(element))
{
    auto parent = GstRef<GstObject>::adopt(gst_object_get_parent(element));
    while (parent) {
        pipeline_ = name_of(parent.get());
        parent = GstRef<GstObject>::adopt(gst_object_get_parent(parent.get()));
        if (parent)
            name_.insert(0, pipeline_ + "/");
    }
}

std::optional<ElementView::Value> ElementView::value(Source source, const char *field) const
{
    if (source == Source::queue &&
        !gst_structure_has_name(stats_.get(), "application/x-jkvm-adaptivequeue-stats"))
        return std::nullopt;
    if (source == Source::sink &&
        !gst_structure_has_name(stats_.get(), "application/x-jkvm-audiosink-stats"))
        return std::nullopt;
    if (source == Source::stats || source == Source::queue || source == Source::sink)
        return value_of(gst_structure_get_value(stats_.get(), field));
    if (source == Source::caps)
        return caps_ ? value_of(
                           gst_structure_get_value(gst_caps_get_structure(caps_.get(), 0), field))
                     : std::nullopt;
    // On jkvmipcsrc, quality is a request, not what the encoder uses.
    if (std::string_view(field) == "quality" &&
        gst_structure_has_name(stats_.get(), "application/x-jkvm-ipcsrc-stats"))
        return std::nullopt;
    const auto *spec = find_property(element_, field);
    if (spec == nullptr)
        return std::nullopt;
    GValue value = G_VALUE_INIT;
    g_object_get_property(G_OBJECT(element_), field, &value);
    auto result = value_of(&value);
    g_value_unset(&value);
    return result;
}

std::optional<ElementView::Histogram> ElementView::histogram(const StageMetric &stage) const
{
    if (!gst_structure_has_name(stats_.get(), stage.structure))
        return std::nullopt;
    const std::string prefix = stage.prefix;
    const auto *buckets = gst_structure_get_value(stats_.get(), (prefix + "-buckets").c_str());
    guint64 sum = 0;
    Histogram histogram;
    if (buckets == nullptr || gst_value_array_get_size(buckets) != histogram.counts.size() ||
        !gst_structure_get_uint64(stats_.get(), (prefix + "-sum").c_str(), &sum))
        return std::nullopt;
    for (guint i = 0; i < histogram.counts.size(); ++i)
        histogram.counts[i] = g_value_get_uint64(gst_value_array_get_value(buckets, i));
    histogram.sum = nanoseconds(sum);
    return histogram;
}

} // namespace jkvm
