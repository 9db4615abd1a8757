// SPDX-License-Identifier: LGPL-2.1-or-later
#include "requested_settings.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType quality_get_type()
{
    static const GEnumValue values[] = {
        {-1, "Requests nothing", "unset"},
        {static_cast<int>(Quality::low), "32 kbit/s mono up to 12 kHz, 40 ms", quality_nicks[0]},
        {static_cast<int>(Quality::medium), "96 kbit/s stereo, 20 ms", quality_nicks[1]},
        {static_cast<int>(Quality::high), "192 kbit/s stereo, 20 ms", quality_nicks[2]},
        {static_cast<int>(Quality::ultra), "320 kbit/s stereo, 10 ms", quality_nicks[3]},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcQuality", values);
    return type;
}

/// Milliseconds, rounded down: the values of jkvmaudiosrc's property.
GType frame_size_get_type()
{
    static const GEnumValue values[] = {
        {0, "Requests nothing", "unset"},
        {2, "2.5 ms", "2.5"},
        {5, "5 ms", "5"},
        {10, "10 ms", "10"},
        {20, "20 ms", "20"},
        {40, "40 ms", "40"},
        {60, "60 ms", "60"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcFrameSize", values);
    return type;
}

GType dtx_get_type()
{
    static const GEnumValue values[] = {
        {-1, "Requests nothing", "unset"},
        {0, "Off", "false"},
        {1, "On", "true"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcDtx", values);
    return type;
}

} // namespace

wire::EncoderConfigFields RequestedSettings::fields(wire::Direction direction,
                                                    unsigned stream_rate) const
{
    wire::EncoderConfigFields fields;
    if (quality >= 0)
        fields = preset_fields(direction, static_cast<Quality>(quality));
    if (bitrate > 0)
        fields.bitrate = static_cast<std::uint32_t>(bitrate);
    if (complexity >= 0)
        fields.complexity = static_cast<std::uint32_t>(complexity);
    if (frame_size > 0) {
        const auto duration =
            frame_size == 2 ? nanoseconds(2500us) : std::chrono::milliseconds(frame_size);
        fields.sample_rate = fields.sample_rate.value_or(stream_rate);
        fields.frame_size = static_cast<std::uint32_t>(duration * *fields.sample_rate / 1s);
    }
    if (dtx >= 0)
        fields.dtx = dtx == 1;
    return fields;
}

std::string RequestedSettings::names() const
{
    std::string names;
    const auto add = [&](bool is_set, const char *name) {
        if (is_set)
            names += (names.empty() ? "" : ", ") + std::string(name);
    };
    add(quality >= 0, "quality");
    add(bitrate > 0, "bitrate");
    add(complexity >= 0, "complexity");
    add(frame_size > 0, "frame-size");
    add(dtx >= 0, "dtx");
    add(packet_loss_percentage >= 0, "packet-loss-percentage");
    return names;
}

const PropertyTable<RequestedSettings> &requested_settings_properties()
{
    using S = RequestedSettings;
    static const PropertyTable<S> table{
        row("quality", "Quality",
            "Preset to request from the sender's encoder, as in jkvmaudiosrc; unset = none. The "
            "following properties take precedence over it",
            OneOf{quality_get_type()}, mutable_playing, &S::quality),
        row("bitrate", "Bitrate",
            "Bitrate to request from the sender's encoder, at least 500 (bit/s); 0 = none",
            between(0, 512000), mutable_playing, &S::bitrate),
        row("complexity", "Complexity",
            "Encoder effort to request from the sender, 0 to 10; -1 = none", between(-1, 10),
            mutable_playing, &S::complexity),
        row("frame-size", "Frame size",
            "Length of a frame to request from the sender's encoder (ms); unset = none",
            OneOf{frame_size_get_type()}, mutable_playing, &S::frame_size),
        row("dtx", "DTX",
            "Whether to request that the sender sends almost nothing during silence; unset = no "
            "request",
            OneOf{dtx_get_type()}, mutable_playing, &S::dtx),
        row("packet-loss-percentage", "Packet loss percentage",
            "Expected share of lost packets to report to the encoder of another jkvm element (%); "
            "-1 = none",
            between(-1, 100), mutable_playing, &S::packet_loss_percentage),
    };
    return table;
}

} // namespace jkvm
