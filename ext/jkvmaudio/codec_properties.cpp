// SPDX-License-Identifier: LGPL-2.1-or-later
#include "codec_properties.h"

#include "common/properties.h"

namespace jkvm {

using namespace std::chrono_literals;

namespace {

enum Property : guint {
    property_direction = first_codec_property,
    property_quality,
    property_bitrate,
    property_bitrate_type,
    property_complexity,
    property_audio_type,
    property_signal,
    property_bandwidth,
    property_frame_size,
    property_dtx,
    property_inband_fec,
    property_packet_loss_percentage,
    property_min_bitrate,
    property_max_bitrate,
    end_of_properties,
};

constexpr int custom_quality = 4; // behind those of Quality

const GEnumValue directions[] = {
    {static_cast<int>(wire::Direction::output), "Sound of the controlled machine", "output"},
    {static_cast<int>(wire::Direction::microphone), "A voice, on its way to that machine",
     "microphone"},
    {0, nullptr, nullptr},
};

const GEnumValue qualities[] = {
    {static_cast<int>(Quality::low), "32 kbit/s mono up to 12 kHz, 40 ms", "low"},
    {static_cast<int>(Quality::medium), "96 kbit/s stereo, 20 ms", "medium"},
    {static_cast<int>(Quality::high), "192 kbit/s stereo, 20 ms", "high"},
    {static_cast<int>(Quality::ultra), "320 kbit/s stereo, 10 ms", "ultra"},
    {custom_quality, "As the other properties say", "custom"},
    {0, nullptr, nullptr},
};

const GEnumValue bitrate_types[] = {
    {static_cast<int>(BitrateType::cbr), "CBR", "cbr"},
    {static_cast<int>(BitrateType::vbr), "VBR", "vbr"},
    {static_cast<int>(BitrateType::constrained_vbr), "Constrained VBR", "constrained-vbr"},
    {0, nullptr, nullptr},
};

const GEnumValue audio_types[] = {
    {static_cast<int>(AudioType::generic), "Generic audio", "generic"},
    {static_cast<int>(AudioType::voice), "Voice", "voice"},
    {static_cast<int>(AudioType::restricted_lowdelay), "Restricted low delay",
     "restricted-lowdelay"},
    {0, nullptr, nullptr},
};

const GEnumValue signals[] = {
    {static_cast<int>(SignalHint::automatic), "Found out", "auto"},
    {static_cast<int>(SignalHint::voice), "Voice", "voice"},
    {static_cast<int>(SignalHint::music), "Music", "music"},
    {0, nullptr, nullptr},
};

const GEnumValue bandwidths[] = {
    {static_cast<int>(Bandwidth::narrowband), "4 kHz", "narrowband"},
    {static_cast<int>(Bandwidth::mediumband), "6 kHz", "mediumband"},
    {static_cast<int>(Bandwidth::wideband), "8 kHz", "wideband"},
    {static_cast<int>(Bandwidth::superwideband), "12 kHz", "superwideband"},
    {static_cast<int>(Bandwidth::fullband), "20 kHz", "fullband"},
    {static_cast<int>(Bandwidth::automatic), "What the bitrate is good for", "auto"},
    {0, nullptr, nullptr},
};

// opusenc's numbers: milliseconds, rounded down.
const GEnumValue frame_sizes[] = {
    {2, "2.5 ms", "2.5"}, {5, "5 ms", "5"},    {10, "10 ms", "10"},   {20, "20 ms", "20"},
    {40, "40 ms", "40"},  {60, "60 ms", "60"}, {0, nullptr, nullptr},
};

nanoseconds frame_of(int size)
{
    return size == 2 ? nanoseconds(2500us) : nanoseconds(std::chrono::milliseconds(size));
}

int quality_number(const CodecControl &control)
{
    return control.quality() ? static_cast<int>(*control.quality()) : custom_quality;
}

GParamSpec *make_enum(const char *name, const char *nick, const char *blurb, const char *type_name,
                      const GEnumValue *values, int value, GParamFlags flags = mutable_playing)
{
    return g_param_spec_enum(name, nick, blurb, register_enum(type_name, values), value, flags);
}

/// For the settings that one assignment sets.
template <typename Assign>
bool change(CodecControl &control, Assign assign)
{
    control.change(assign);
    return true;
}

} // namespace

void install_codec_properties(GObjectClass *object_class)
{
    const EncoderSettings defaults;
    const BitrateLimits limits;
    const auto install = [object_class](Property id, GParamSpec *spec) {
        g_object_class_install_property(object_class, id, spec);
    };
    install(property_direction,
            make_enum("direction", "Direction",
                      "Whose sound it is: decides which numbers the qualities have, and that a "
                      "microphone is mono (since 0.1)",
                      "GstJkvmAudioDirection", directions, 0, mutable_ready));
    install(property_quality,
            make_enum("quality", "Quality",
                      "Sets all that is below to a preset; custom when one of these was set "
                      "since. The values say what they are for output (since 0.1)",
                      "GstJkvmAudioQuality", qualities, static_cast<int>(Quality::medium)));
    install(property_bitrate,
            g_param_spec_int("bitrate", "Bitrate", "Bits per second (since 0.1)", 4000, 650000,
                             static_cast<gint>(defaults.bitrate), mutable_playing));
    install(property_bitrate_type,
            make_enum("bitrate-type", "Bitrate type", "How the bitrate may vary (since 0.1)",
                      "GstJkvmAudioBitrateType", bitrate_types,
                      static_cast<int>(defaults.bitrate_type)));
    install(property_complexity,
            g_param_spec_int("complexity", "Complexity",
                             "How much CPU time the encoder may take, 0 to 10 (since 0.1)", 0, 10,
                             static_cast<gint>(defaults.complexity), mutable_playing));
    install(property_audio_type,
            make_enum("audio-type", "Audio type",
                      "What the encoder is made for; a change makes a new one (since 0.1)",
                      "GstJkvmAudioType", audio_types, static_cast<int>(defaults.audio_type)));
    install(property_signal,
            make_enum("signal", "Signal", "What the encoder is to take the sound for (since 0.1)",
                      "GstJkvmAudioSignal", signals, static_cast<int>(defaults.signal)));
    install(property_bandwidth,
            make_enum("bandwidth", "Bandwidth", "The widest band that is coded (since 0.1)",
                      "GstJkvmAudioBandwidth", bandwidths, static_cast<int>(defaults.bandwidth)));
    install(property_frame_size,
            make_enum("frame-size", "Frame size",
                      "Length of a frame in milliseconds; changes the latency (since 0.1)",
                      "GstJkvmAudioFrameSize", frame_sizes,
                      static_cast<int>(defaults.frame / 1ms)));
    install(property_dtx,
            g_param_spec_boolean("dtx", "DTX", "Send next to nothing while it is quiet (since 0.1)",
                                 defaults.dtx, mutable_playing));
    install(property_inband_fec,
            g_param_spec_boolean("inband-fec", "In-band FEC",
                                 "Repeat a coarse copy of each speech frame in the next packet; "
                                 "needs packet-loss-percentage (since 0.1)",
                                 defaults.inband_fec, mutable_playing));
    install(property_packet_loss_percentage,
            g_param_spec_int("packet-loss-percentage", "Packet loss percentage",
                             "Share of packets that is expected to be lost, in percent (since 0.1)",
                             0, 100, static_cast<gint>(defaults.packet_loss_percentage),
                             mutable_playing));
    install(
        property_min_bitrate,
        g_param_spec_int("min-bitrate", "Minimum bitrate",
                         "The least that a receiver may ask for, in bits per second (since 0.1)",
                         500, 650000, static_cast<gint>(limits.lowest), mutable_playing));
    install(property_max_bitrate,
            g_param_spec_int("max-bitrate", "Maximum bitrate",
                             "The most that a receiver may ask for, in bits per second (since 0.1)",
                             500, 650000, static_cast<gint>(limits.highest), mutable_playing));
}

bool set_codec_property(CodecControl &control, guint id, const GValue *value)
{
    using Settings = EncoderSettings;
    const int number = G_VALUE_HOLDS_ENUM(value)      ? g_value_get_enum(value)
                       : G_VALUE_HOLDS_BOOLEAN(value) ? static_cast<int>(g_value_get_boolean(value))
                       : G_VALUE_HOLDS_INT(value)     ? g_value_get_int(value)
                                                      : 0;
    const auto count = static_cast<unsigned>(number);
    auto limits = control.limits();
    switch (id) {
    case property_direction:
        control.set_direction(static_cast<wire::Direction>(number));
        return true;
    case property_quality:
        control.set_quality(number == custom_quality ? std::nullopt
                                                     : std::optional(static_cast<Quality>(number)));
        return true;
    case property_bitrate:
        return change(control, [=](Settings &s) { s.bitrate = count; });
    case property_bitrate_type:
        return change(control, [=](Settings &s) { s.bitrate_type = BitrateType{number}; });
    case property_complexity:
        return change(control, [=](Settings &s) { s.complexity = count; });
    case property_audio_type:
        return change(control, [=](Settings &s) { s.audio_type = AudioType{number}; });
    case property_signal:
        return change(control, [=](Settings &s) { s.signal = SignalHint{number}; });
    case property_bandwidth:
        return change(control, [=](Settings &s) { s.bandwidth = Bandwidth{number}; });
    case property_frame_size:
        return change(control, [=](Settings &s) { s.frame = frame_of(number); });
    case property_dtx:
        return change(control, [=](Settings &s) { s.dtx = number != 0; });
    case property_inband_fec:
        return change(control, [=](Settings &s) { s.inband_fec = number != 0; });
    case property_packet_loss_percentage:
        return change(control, [=](Settings &s) { s.packet_loss_percentage = count; });
    case property_min_bitrate:
        limits.lowest = count;
        control.set_limits(limits);
        return true;
    case property_max_bitrate:
        limits.highest = count;
        control.set_limits(limits);
        return true;
    default:
        return false;
    }
}

bool get_codec_property(const CodecControl &control, guint id, GValue *value)
{
    const auto &settings = control.settings();
    const auto give = [value](auto setting) {
        const auto number = static_cast<int>(setting);
        if (G_VALUE_HOLDS_ENUM(value))
            g_value_set_enum(value, number);
        else if (G_VALUE_HOLDS_BOOLEAN(value))
            g_value_set_boolean(value, number);
        else
            g_value_set_int(value, number);
        return true;
    };
    switch (id) {
    case property_direction:
        return give(control.direction());
    case property_quality:
        return give(quality_number(control));
    case property_bitrate:
        return give(settings.bitrate);
    case property_bitrate_type:
        return give(settings.bitrate_type);
    case property_complexity:
        return give(settings.complexity);
    case property_audio_type:
        return give(settings.audio_type);
    case property_signal:
        return give(settings.signal);
    case property_bandwidth:
        return give(settings.bandwidth);
    case property_frame_size:
        return give(settings.frame / 1ms);
    case property_dtx:
        return give(settings.dtx);
    case property_inband_fec:
        return give(settings.inband_fec);
    case property_packet_loss_percentage:
        return give(settings.packet_loss_percentage);
    case property_min_bitrate:
        return give(control.limits().lowest);
    case property_max_bitrate:
        return give(control.limits().highest);
    default:
        return false;
    }
}

void notify_codec_properties(GObject *object, const CodecControl &before, const CodecControl &after)
{
    guint count = 0;
    auto **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(object), &count);
    for (guint i = 0; i < count; ++i) {
        const auto id = specs[i]->param_id;
        if (specs[i]->owner_type != G_OBJECT_TYPE(object) || id < first_codec_property)
            continue;
        GValue old_value = G_VALUE_INIT;
        GValue new_value = G_VALUE_INIT;
        g_value_init(&old_value, specs[i]->value_type);
        g_value_init(&new_value, specs[i]->value_type);
        get_codec_property(before, id, &old_value);
        get_codec_property(after, id, &new_value);
        if (g_param_values_cmp(specs[i], &old_value, &new_value) != 0)
            g_object_notify_by_pspec(object, specs[i]);
        g_value_unset(&old_value);
        g_value_unset(&new_value);
    }
    g_free(specs);
}

} // namespace jkvm
