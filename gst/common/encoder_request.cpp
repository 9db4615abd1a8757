// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/encoder_request.h"

#include "core/opus/quality_preset.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace jkvm {

namespace {

std::optional<std::int64_t> read_integer(const GValue *value)
{
    switch (G_VALUE_TYPE(value)) {
    case G_TYPE_INT:
        return g_value_get_int(value);
    case G_TYPE_UINT:
        return g_value_get_uint(value);
    case G_TYPE_INT64:
        return g_value_get_int64(value);
    case G_TYPE_LONG:
        return g_value_get_long(value);
    case G_TYPE_CHAR:
        return g_value_get_schar(value);
    case G_TYPE_UCHAR:
        return g_value_get_uchar(value);
    case G_TYPE_UINT64:
    case G_TYPE_ULONG: {
        const guint64 number = G_VALUE_TYPE(value) == G_TYPE_UINT64 ? g_value_get_uint64(value)
                                                                    : g_value_get_ulong(value);
        // Every range ends far below this.
        return static_cast<std::int64_t>(
            std::min<guint64>(number, std::numeric_limits<std::int64_t>::max()));
    }
    default:
        return std::nullopt;
    }
}

/// Writes the value to `field`. False if it is not an integer between the limits.
template <typename T>
bool read(const GValue *value, std::int64_t minimum, std::int64_t maximum, std::optional<T> &field)
{
    const auto number = read_integer(value);
    if (!number || *number < minimum || *number > maximum)
        return false;
    field = static_cast<T>(*number);
    return true;
}

bool read(const GValue *value, std::optional<bool> &field)
{
    if (!G_VALUE_HOLDS_BOOLEAN(value))
        return false;
    field = g_value_get_boolean(value) != FALSE;
    return true;
}

/// Writes the value to `field`. False if it is not the nick of a quality.
bool read(const GValue *value, std::optional<Quality> &field)
{
    const char *nick = G_VALUE_HOLDS_STRING(value) ? g_value_get_string(value) : nullptr;
    field = nick != nullptr ? find_quality(nick) : std::nullopt;
    return field.has_value();
}

/// The parsed fields of an event.
struct ParsedFields {
    EncoderRequestEvent event; // without the fields of `quality`
    std::optional<Quality> quality;
};

/// False for an unknown field and for a value that it cannot have. Values that are only invalid
/// together are left to EncoderConfig::is_valid().
bool read_field(std::string_view field, const GValue *value, ParsedFields &parsed)
{
    auto &event = parsed.event;
    auto &fields = event.fields;
    if (field == "quality")
        return read(value, parsed.quality);
    if (field == "rate")
        return read(value, 8000, 48000, fields.sample_rate);
    if (field == "channels")
        return read(value, 1, 2, fields.channels);
    if (field == "frame-size")
        return read(value, 20, 5760, fields.frame_size);
    if (field == "bitrate")
        return read(value, 500, 512000, fields.bitrate);
    if (field == "complexity")
        return read(value, 0, 10, fields.complexity);
    if (field == "vbr")
        return read(value, fields.vbr);
    if (field == "signal")
        return read(value, wire::EncoderConfig::signal_auto, wire::EncoderConfig::signal_music,
                    fields.signal);
    if (field == "bandwidth")
        return read(value, 1101, 1105, fields.bandwidth);
    if (field == "dtx")
        return read(value, fields.dtx);
    if (field == "packet-loss-percentage")
        return read(value, 0, 100, event.packet_loss_percentage);
    if (field == "withdrawn") {
        std::optional<bool> is_withdrawal;
        const bool is_valid = read(value, is_withdrawal);
        event.is_withdrawal = is_withdrawal.value_or(false);
        return is_valid;
    }
    return false;
}

} // namespace

Fields encoder_request_fields(const wire::SettingsRequest &request)
{
    Fields fields;
    const auto set = [&fields](const char *name, const auto &value) {
        if (value)
            fields.set(name, *value);
    };
    const auto &config = request.config;
    set("rate", config.sample_rate);
    set("channels", config.channels);
    set("frame-size", config.frame_size);
    set("bitrate", config.bitrate);
    set("complexity", config.complexity);
    set("vbr", config.vbr);
    set("signal", config.signal);
    set("bandwidth", config.bandwidth);
    set("dtx", config.dtx);
    set("packet-loss-percentage", request.packet_loss_percentage);
    return fields;
}

GstEvent *make_encoder_request(const wire::SettingsRequest &request)
{
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                encoder_request_fields(request).release(encoder_request_name));
}

GstEvent *make_encoder_request(const wire::EncoderConfig &config)
{
    return make_encoder_request(wire::SettingsRequest{.config = config.fields()});
}

GstEvent *make_encoder_withdrawal(const wire::EncoderConfig &config)
{
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                encoder_request_fields({.config = config.fields()})
                                    .set("withdrawn", true)
                                    .release(encoder_request_name));
}

bool is_encoder_request(GstEvent *event)
{
    return GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_UPSTREAM &&
           gst_event_has_name(event, encoder_request_name);
}

Result<EncoderRequestEvent> parse_encoder_request(GstEvent *event, wire::Direction direction)
{
    const auto *structure = gst_event_get_structure(event);
    ParsedFields parsed;
    for (int i = 0; i < gst_structure_n_fields(structure); ++i) {
        const char *field = gst_structure_nth_field_name(structure, static_cast<guint>(i));
        const auto *value = gst_structure_get_value(structure, field);
        if (read_field(field, value, parsed))
            continue;
        gchar *text = gst_value_serialize(value);
        Error error{ErrorKind::request_invalid, std::string(field) + "=" + (text ? text : ""),
                    "unknown field, wrong type or value out of range"};
        g_free(text);
        return error;
    }
    auto &request = parsed.event;
    if (parsed.quality) {
        auto preset = preset_fields(direction, *parsed.quality);
        // A rate alone keeps the duration of a frame.
        if (request.fields.sample_rate)
            preset.frame_size =
                *preset.frame_size * *request.fields.sample_rate / *preset.sample_rate;
        request.fields = preset.merged_with(request.fields);
    }
    return request;
}

} // namespace jkvm
