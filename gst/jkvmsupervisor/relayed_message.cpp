// SPDX-License-Identifier: LGPL-2.1-or-later
#include "relayed_message.h"

#include "value_text.h"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace jkvm {

namespace {

/// Returns the name of the element that posted the message, itself or through its pad.
std::string element_name(GstMessage *message)
{
    auto source = GstRef<GstObject>::share(GST_MESSAGE_SRC(message));
    while (source && !GST_IS_ELEMENT(source.get()))
        source = GstRef<GstObject>::adopt(gst_object_get_parent(source.get()));
    if (!source)
        return {};
    gchar *name = gst_object_get_name(source.get());
    std::string copy = name != nullptr ? name : "";
    g_free(name);
    return copy;
}

using Parse = void (*)(GstMessage *, GError **, gchar **);

ControlMessage describe_diagnosis(GstMessage *message, const char *severity, Parse parse)
{
    GError *error = nullptr;
    gchar *debug = nullptr;
    parse(message, &error, &debug);
    auto control = make_control(ControlKind::diagnosis, element_name(message), severity,
                                g_quark_to_string(error->domain), std::to_string(error->code),
                                error->message, debug != nullptr ? debug : "");
    g_error_free(error);
    g_free(debug);
    return control;
}

GstMessage *make_element_message(GstElement *bin, const std::vector<std::string> &fields)
{
    constexpr std::size_t field_count = 2;
    auto structure = fields.size() == field_count ? structure_of(fields[1]) : nullptr;
    if (!structure)
        return nullptr;
    gst_structure_set(structure.get(), "element", G_TYPE_STRING, to_utf8(fields[0]).c_str(),
                      nullptr);
    return gst_message_new_element(GST_OBJECT(bin), structure.release());
}

/// Returns the domain of a worker's error. One that this process does not know has no codes here
/// either.
GQuark error_domain(const std::string &name)
{
    const std::array<GQuark, 4> domains{GST_CORE_ERROR, GST_LIBRARY_ERROR, GST_RESOURCE_ERROR,
                                        GST_STREAM_ERROR};
    for (const GQuark domain : domains)
        if (name == g_quark_to_string(domain))
            return domain;
    const auto known = g_quark_try_string(name.c_str());
    return known != 0 ? known : GST_LIBRARY_ERROR;
}

GstMessage *make_diagnosis(GstElement *bin, const std::vector<std::string> &fields)
{
    constexpr std::size_t field_count = 6;
    if (fields.size() != field_count)
        return nullptr;
    const auto &number = fields[3];
    int code = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), code).ec != std::errc())
        return nullptr;
    const auto severity = to_utf8(fields[1]);
    const auto debug = to_utf8(fields[5]);
    auto *error =
        g_error_new_literal(error_domain(to_utf8(fields[2])), code, to_utf8(fields[4]).c_str());
    auto *details =
        gst_structure_new("jkvm-worker", "element", G_TYPE_STRING, to_utf8(fields[0]).c_str(),
                          "severity", G_TYPE_STRING, severity.c_str(), nullptr);
    const auto make = severity == "info" ? gst_message_new_info_with_details
                                         : gst_message_new_warning_with_details;
    auto *message = make(GST_OBJECT(bin), error, debug.c_str(), details);
    g_error_free(error);
    return message;
}

} // namespace

std::optional<ControlMessage> describe_message(GstMessage *message)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ELEMENT:
        if (const auto *structure = gst_message_get_structure(message))
            return make_control(ControlKind::element_message, element_name(message),
                                to_text(structure));
        return std::nullopt;
    case GST_MESSAGE_ERROR:
        return describe_diagnosis(message, "error", gst_message_parse_error);
    case GST_MESSAGE_WARNING:
        return describe_diagnosis(message, "warning", gst_message_parse_warning);
    case GST_MESSAGE_INFO:
        return describe_diagnosis(message, "info", gst_message_parse_info);
    default:
        return std::nullopt;
    }
}

GstRef<GstMessage> make_relayed_message(GstElement *bin, const ControlMessage &control)
{
    const bool is_diagnosis = control.kind == static_cast<std::uint8_t>(ControlKind::diagnosis);
    return GstRef<GstMessage>::adopt(is_diagnosis ? make_diagnosis(bin, control.fields)
                                                  : make_element_message(bin, control.fields));
}

} // namespace jkvm
