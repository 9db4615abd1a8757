// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/source_state.h"

#include <array>
#include <string_view>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

struct FrameSize {
    nanoseconds duration;
    const char *nick; ///< of jkvmaudiosrc's property
};
constexpr std::array frame_sizes{
    FrameSize{2500us, "2.5"}, FrameSize{5ms, "5"},   FrameSize{10ms, "10"},
    FrameSize{20ms, "20"},    FrameSize{40ms, "40"}, FrameSize{60ms, "60"},
};

std::string frame_size_nick(nanoseconds duration)
{
    for (const auto &size : frame_sizes)
        if (size.duration == duration)
            return size.nick;
    return {};
}

std::optional<nanoseconds> frame_of_nick(std::string_view nick)
{
    for (const auto &size : frame_sizes)
        if (size.nick == nick)
            return size.duration;
    return std::nullopt;
}

void set_text(Fields &fields, const char *name, const std::string &nick)
{
    if (!nick.empty())
        fields.set(name, nick);
}

template <typename T, typename Stored = T>
void set_known(Fields &fields, const char *name, const std::optional<T> &value)
{
    if (value)
        fields.set(name, static_cast<Stored>(*value));
}

std::string read_text(const GstStructure *structure, const char *name)
{
    const char *text = gst_structure_get_string(structure, name);
    return text != nullptr ? text : "";
}

std::string read_nick(const GstStructure *structure, const char *name)
{
    auto nick = read_text(structure, name);
    return wire::SourceState::is_nick(nick) ? nick : std::string();
}

std::optional<bool> read_flag(const GstStructure *structure, const char *name)
{
    gboolean value = FALSE;
    if (!gst_structure_get_boolean(structure, name, &value))
        return std::nullopt;
    return value != FALSE;
}

std::optional<std::uint32_t> read_number(const GstStructure *structure, const char *name)
{
    gint value = 0;
    if (!gst_structure_get_int(structure, name, &value) || value < 0)
        return std::nullopt;
    return static_cast<std::uint32_t>(value);
}

} // namespace

Fields source_state_fields(const wire::SourceState &state)
{
    Fields fields;
    set_text(fields, "device-state", state.device_state);
    set_text(fields, "reason", state.reason);
    set_known(fields, "muted", state.muted);
    set_text(fields, "quality", state.quality);
    set_known<std::uint32_t, gint>(fields, "bitrate", state.bitrate);
    set_known<std::uint32_t, gint>(fields, "complexity", state.complexity);
    if (state.frame)
        set_text(fields, "frame-size", frame_size_nick(*state.frame));
    set_known(fields, "dtx", state.dtx);
    set_known<std::uint32_t, gint>(fields, "packet-loss-percentage", state.packet_loss_percentage);
    set_text(fields, "decided-by", state.decided_by);
    set_known(fields, "listeners", state.listeners);
    return fields;
}

GstEvent *make_source_state(const wire::SourceState &state)
{
    return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
                                source_state_fields(state).release(source_state_name));
}

bool is_source_state(GstEvent *event)
{
    return GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY &&
           gst_event_has_name(event, source_state_name);
}

wire::SourceState parse_source_state(GstEvent *event)
{
    const auto *structure = gst_event_get_structure(event);
    wire::SourceState state;
    state.device_state = read_nick(structure, "device-state");
    state.reason = read_nick(structure, "reason");
    state.muted = read_flag(structure, "muted");
    state.quality = read_nick(structure, "quality");
    state.bitrate = read_number(structure, "bitrate");
    state.complexity = read_number(structure, "complexity");
    state.frame = frame_of_nick(read_text(structure, "frame-size"));
    state.dtx = read_flag(structure, "dtx");
    state.packet_loss_percentage = read_number(structure, "packet-loss-percentage");
    state.decided_by = read_nick(structure, "decided-by");
    guint listeners = 0;
    if (gst_structure_get_uint(structure, "listeners", &listeners))
        state.listeners = listeners;
    return state;
}

} // namespace jkvm
