// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/encoder_request.h"

#include "common/fields.h"

namespace jkvm {

namespace {

constexpr const char *name = "jkvm-encoder-request";

void take(const GstStructure *structure, const char *field, std::uint32_t &value)
{
    guint number = 0;
    if (gst_structure_get_uint(structure, field, &number))
        value = number;
}

void take(const GstStructure *structure, const char *field, bool &value)
{
    gboolean flag = FALSE;
    if (gst_structure_get_boolean(structure, field, &flag))
        value = flag != FALSE;
}

Fields fields_of(const wire::EncoderConfig &config)
{
    return std::move(Fields()
                         .set("rate", config.stream.sample_rate)
                         .set("channels", config.stream.channels)
                         .set("frame-size", config.stream.frame_size)
                         .set("bitrate", config.bitrate)
                         .set("complexity", config.complexity)
                         .set("vbr", config.vbr)
                         .set("signal", config.signal)
                         .set("bandwidth", config.bandwidth)
                         .set("dtx", config.dtx));
}

} // namespace

GstEvent *make_encoder_request(const wire::EncoderConfig &config)
{
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, fields_of(config).release(name));
}

GstEvent *make_encoder_withdrawal(const wire::EncoderConfig &config)
{
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                fields_of(config).set("withdrawn", true).release(name));
}

bool is_withdrawal(GstEvent *event)
{
    bool result = false;
    take(gst_event_get_structure(event), "withdrawn", result);
    return result;
}

std::optional<wire::EncoderConfig> parse_encoder_request(GstEvent *event,
                                                         const wire::EncoderConfig &now)
{
    if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM || !gst_event_has_name(event, name))
        return std::nullopt;
    const auto *structure = gst_event_get_structure(event);
    auto config = now;
    take(structure, "rate", config.stream.sample_rate);
    take(structure, "channels", config.stream.channels);
    take(structure, "frame-size", config.stream.frame_size);
    take(structure, "bitrate", config.bitrate);
    take(structure, "complexity", config.complexity);
    take(structure, "vbr", config.vbr);
    take(structure, "bandwidth", config.bandwidth);
    take(structure, "dtx", config.dtx);
    gint signal = 0;
    if (gst_structure_get_int(structure, "signal", &signal))
        config.signal = signal;
    return config;
}

std::optional<std::uint32_t> parse_expected_loss(GstEvent *event)
{
    guint percentage = 0;
    if (!gst_event_has_name(event, name) ||
        !gst_structure_get_uint(gst_event_get_structure(event), "packet-loss-percentage",
                                &percentage))
        return std::nullopt;
    return percentage;
}

} // namespace jkvm
