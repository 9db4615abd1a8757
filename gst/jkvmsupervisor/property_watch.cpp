// SPDX-License-Identifier: LGPL-2.1-or-later
#include "property_watch.h"

#include "value_text.h"

#include <glib-unix.h>

namespace jkvm {

namespace {

constexpr guint interval = 1000; // ms

bool is_reported(const GParamSpec *spec)
{
    return (spec->flags & G_PARAM_READABLE) != 0 && spec->owner_type != GST_TYPE_OBJECT &&
           is_expressible(spec->value_type);
}

std::string name_of(GstObject *object)
{
    gchar *name = gst_object_get_name(object);
    std::string copy = name;
    g_free(name);
    return copy;
}

} // namespace

PropertyWatch::PropertyWatch(GstBin *pipeline, GstElement *ignored, Report report)
    : pipeline_(pipeline), ignored_(ignored), report_(std::move(report))
{
    const auto on_notify =
        +[](GstObject *, GstObject *object, GParamSpec *spec, gpointer self) noexcept {
            static_cast<PropertyWatch *>(self)->on_notify(object, spec);
        };
    const auto on_timer = [](gpointer self) noexcept -> gboolean {
        static_cast<PropertyWatch *>(self)->sample();
        return G_SOURCE_CONTINUE;
    };
    const auto on_woken = [](gint, GIOCondition, gpointer self) noexcept -> gboolean {
        static_cast<PropertyWatch *>(self)->report_notified();
        return G_SOURCE_CONTINUE;
    };
    handler_ = g_signal_connect(pipeline, "deep-notify", G_CALLBACK(on_notify), this);
    timer_ = g_timeout_add(interval, on_timer, this);
    woken_ = g_unix_fd_add(wake_.fd(), G_IO_IN, on_woken, this);
    sample();
}

PropertyWatch::~PropertyWatch()
{
    g_signal_handler_disconnect(pipeline_, handler_);
    g_source_remove(timer_);
    g_source_remove(woken_);
}

void PropertyWatch::report(GstElement *element, GParamSpec *spec)
{
    if (!is_reported(spec))
        return;
    reported_.erase({name_of(GST_OBJECT(element)), spec->name});
    report_if_changed(GST_OBJECT(element), spec, false);
}

void PropertyWatch::on_notify(GstObject *object, GParamSpec *spec)
{
    if (!GST_IS_ELEMENT(object) || GST_ELEMENT(object) == ignored_ || !is_reported(spec))
        return;
    notified_.lock()->insert({GstRef<GstObject>::share(object), spec});
    wake_.set();
}

void PropertyWatch::report_notified()
{
    wake_.clear();
    // The values are read without the lock.
    const auto notified = std::exchange(*notified_.lock(), {});
    for (const auto &[element, spec] : notified)
        report_if_changed(element.get(), spec, true);
}

void PropertyWatch::sample()
{
    const auto on_element = [](const GValue *element, gpointer self) noexcept {
        static_cast<PropertyWatch *>(self)->sample_element(GST_OBJECT(g_value_get_object(element)));
    };
    auto *elements = gst_bin_iterate_recurse(pipeline_);
    while (gst_iterator_foreach(elements, on_element, this) == GST_ITERATOR_RESYNC)
        gst_iterator_resync(elements);
    gst_iterator_free(elements);
}

void PropertyWatch::sample_element(GstObject *element)
{
    if (GST_ELEMENT(element) == ignored_)
        return;
    guint count = 0;
    auto **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    for (guint i = 0; i < count; ++i)
        if (is_reported(specs[i]))
            report_if_changed(element, specs[i], false);
    g_free(specs);
}

void PropertyWatch::report_if_changed(GstObject *element, GParamSpec *spec, bool is_notified)
{
    GValue value = G_VALUE_INIT;
    g_value_init(&value, spec->value_type);
    g_object_get_property(G_OBJECT(element), spec->name, &value);
    const auto text = to_text(&value);
    g_value_unset(&value);
    if (!text)
        return;
    const Key key{name_of(element), spec->name};
    auto &reported = reported_[key];
    if (!is_notified && reported == *text)
        return;
    reported = *text;
    report_(key.first, key.second, *text, is_notified);
}

} // namespace jkvm
