// SPDX-License-Identifier: LGPL-2.1-or-later
#include "codec_properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

constexpr int custom_quality = 4; // after the values of Quality

GType direction_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(wire::Direction::output), "Audio of the controlled machine", "output"},
        {static_cast<int>(wire::Direction::microphone), "A voice for the controlled machine",
         "microphone"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioDirection", values);
    return type;
}

GType quality_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(Quality::low), "32 kbit/s mono up to 12 kHz, 40 ms", quality_nicks[0]},
        {static_cast<int>(Quality::medium), "96 kbit/s stereo, 20 ms", quality_nicks[1]},
        {static_cast<int>(Quality::high), "192 kbit/s stereo, 20 ms", quality_nicks[2]},
        {static_cast<int>(Quality::ultra), "320 kbit/s stereo, 10 ms", quality_nicks[3]},
        {custom_quality, "Set by the other properties", "custom"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioQuality", values);
    return type;
}

GType bitrate_type_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(BitrateType::cbr), "CBR", "cbr"},
        {static_cast<int>(BitrateType::vbr), "VBR", "vbr"},
        {static_cast<int>(BitrateType::constrained_vbr), "Constrained VBR", "constrained-vbr"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioBitrateType", values);
    return type;
}

GType audio_type_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(AudioType::generic), "Generic audio", "generic"},
        {static_cast<int>(AudioType::voice), "Voice", "voice"},
        {static_cast<int>(AudioType::restricted_lowdelay), "Restricted low delay",
         "restricted-lowdelay"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioType", values);
    return type;
}

GType signal_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(SignalHint::automatic), "Detected", "auto"},
        {static_cast<int>(SignalHint::voice), "Voice", "voice"},
        {static_cast<int>(SignalHint::music), "Music", "music"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioSignal", values);
    return type;
}

GType bandwidth_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(Bandwidth::narrowband), "4 kHz", "narrowband"},
        {static_cast<int>(Bandwidth::mediumband), "6 kHz", "mediumband"},
        {static_cast<int>(Bandwidth::wideband), "8 kHz", "wideband"},
        {static_cast<int>(Bandwidth::superwideband), "12 kHz", "superwideband"},
        {static_cast<int>(Bandwidth::fullband), "20 kHz", "fullband"},
        {static_cast<int>(Bandwidth::automatic), "Chosen for the bitrate", "auto"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioBandwidth", values);
    return type;
}

/// Milliseconds, rounded down: the values of opusenc's property.
GType frame_size_get_type()
{
    static const GEnumValue values[] = {
        {2, "2.5 ms", "2.5"}, {5, "5 ms", "5"},    {10, "10 ms", "10"},   {20, "20 ms", "20"},
        {40, "40 ms", "40"},  {60, "60 ms", "60"}, {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioFrameSize", values);
    return type;
}

int frame_size_of(const CodecControl &control)
{
    return static_cast<int>(control.settings().frame / 1ms);
}

void set_frame_size(CodecControl &control, int size)
{
    control.change([size](EncoderSettings &settings) {
        settings.frame = size == 2 ? nanoseconds(2500us) : std::chrono::milliseconds(size);
    });
}

int quality_of(const CodecControl &control)
{
    return control.quality() ? static_cast<int>(*control.quality()) : custom_quality;
}

void set_quality(CodecControl &control, int quality)
{
    control.set_quality(quality == custom_quality ? std::nullopt
                                                  : std::optional(static_cast<Quality>(quality)));
}

/// A property that is one of the encoder's settings.
template <typename Member, typename Values>
PropertyRow<CodecControl> setting(const char *name, const char *nick, const char *blurb,
                                  Values values, Member EncoderSettings::*member)
{
    const auto getter = [member](const CodecControl &control) {
        return control.settings().*member;
    };
    const auto setter = [member](CodecControl &control, auto value) {
        control.change(
            [=](EncoderSettings &settings) { settings.*member = static_cast<Member>(value); });
    };
    return computed<CodecControl>(name, nick, blurb, values, mutable_playing, getter, setter);
}

PropertyRow<CodecControl> limit(const char *name, const char *nick, const char *blurb,
                                unsigned BitrateLimits::*member)
{
    const auto getter = [member](const CodecControl &control) { return control.limits().*member; };
    const auto setter = [member](CodecControl &control, int bitrate) {
        auto limits = control.limits();
        limits.*member = static_cast<unsigned>(bitrate);
        control.set_limits(limits);
    };
    return computed<CodecControl>(name, nick, blurb, between(500, 650000), mutable_playing, getter,
                                  setter);
}

} // namespace

const PropertyTable<CodecControl> &codec_properties()
{
    using C = CodecControl;
    using S = EncoderSettings;
    static const PropertyTable<C> table{
        computed<C>("direction", "Direction",
                    "Which path of the device the audio is for: selects the table of presets, "
                    "and mono for the microphone",
                    OneOf{direction_get_type()}, mutable_ready, &C::direction, &C::set_direction),
        computed<C>(
            "quality", "Quality",
            "Preset for the encoder's properties; custom once one of them has been set. The "
            "descriptions of the values apply to direction=output",
            OneOf{quality_get_type()}, mutable_playing, quality_of, set_quality),
        setting("bitrate", "Bitrate", "Bitrate (bit/s)", between(4000, 650000), &S::bitrate),
        setting("bitrate-type", "Bitrate type", "How the bitrate may vary",
                OneOf{bitrate_type_get_type()}, &S::bitrate_type),
        setting("complexity", "Complexity", "Encoder effort: 0 = minimum CPU time, 10 = maximum",
                between(0, 10), &S::complexity),
        setting("audio-type", "Audio type",
                "What the encoder is optimised for; a change replaces the encoder",
                OneOf{audio_type_get_type()}, &S::audio_type),
        setting("signal", "Signal", "What kind of signal the encoder assumes",
                OneOf{signal_get_type()}, &S::signal),
        setting("bandwidth", "Bandwidth", "Maximum audio bandwidth to encode",
                OneOf{bandwidth_get_type()}, &S::bandwidth),
        computed<C>("frame-size", "Frame size",
                    "Length of a frame (ms); a change also changes the latency",
                    OneOf{frame_size_get_type()}, mutable_playing, frame_size_of, set_frame_size),
        setting("dtx", "DTX", "Whether to send almost nothing during silence", AnyValue{}, &S::dtx),
        setting("inband-fec", "In-band FEC",
                "Whether to repeat a coarse copy of each speech frame in the next packet; needs "
                "packet-loss-percentage",
                AnyValue{}, &S::inband_fec),
        setting("packet-loss-percentage", "Packet loss percentage",
                "Expected share of lost packets (%)", between(0, 100), &S::packet_loss_percentage),
        limit("min-bitrate", "Minimum bitrate",
              "Lower bound of the bitrate that a receiver may request (bit/s)",
              &BitrateLimits::minimum),
        limit("max-bitrate", "Maximum bitrate",
              "Upper bound of the bitrate that a receiver may request (bit/s)",
              &BitrateLimits::maximum),
    };
    return table;
}

} // namespace jkvm
