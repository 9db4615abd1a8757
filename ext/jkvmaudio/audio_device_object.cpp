// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_device_object.h"

#include "common/element_type.h"
#include "common/fields.h"
#include "common/gst_ref.h"

#include <gst/audio/audio.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace {

/// Value of the element's property.
class DeviceName {
public:
    explicit DeviceName(void * /*object*/) {}
    void set(std::string property) { property_ = std::move(property); }
    [[nodiscard]] const char *get() const { return property_.c_str(); }

private:
    std::string property_;
};

} // namespace

G_DECLARE_FINAL_TYPE(GstJkvmAudioDevice, gst_jkvm_audio_device, GST, JKVM_AUDIO_DEVICE, GstDevice)

struct _GstJkvmAudioDevice {
    GstDevice parent;
};

JKVM_DEFINE_OBJECT(GstJkvmAudioDevice, gst_jkvm_audio_device, GST_TYPE_DEVICE, DeviceName)

static const char *element_name(GstDevice *device)
{
    return gst_device_has_classes(device, "Source") != FALSE ? "jkvmaudiosrc" : "jkvmaudiosink";
}

static void gst_jkvm_audio_device_configure_class(GstJkvmAudioDeviceClass *klass)
{
    auto *device_class = GST_DEVICE_CLASS(klass);
    device_class->create_element = [](GstDevice *self, const gchar *name) noexcept {
        auto *element = gst_element_factory_make(element_name(self), name);
        if (element != nullptr)
            g_object_set(element, "device", impl(self).get(), nullptr);
        return element;
    };
    device_class->reconfigure_element = [](GstDevice *self,
                                           GstElement *element) noexcept -> gboolean {
        const auto *factory = gst_element_get_factory(element);
        if (factory == nullptr || !g_str_equal(GST_OBJECT_NAME(factory), element_name(self)))
            return FALSE;
        g_object_set(element, "device", impl(self).get(), nullptr);
        return TRUE;
    };
}

namespace jkvm {

namespace {

GstAudioFormat audio_format(const std::string &alsa_name)
{
    constexpr std::array<std::pair<const char *, GstAudioFormat>, 4> names{
        {{"S16_LE", GST_AUDIO_FORMAT_S16LE},
         {"S32_LE", GST_AUDIO_FORMAT_S32LE},
         {"S24_3LE", GST_AUDIO_FORMAT_S24LE},
         {"S24_LE", GST_AUDIO_FORMAT_S24_32LE}}};
    const auto *found = std::ranges::find(names, alsa_name,
                                          [](const auto &name) { return std::string(name.first); });
    return found == names.end() ? GST_AUDIO_FORMAT_UNKNOWN : found->second;
}

template <typename Value>
void append_value(GValue &list, GType type, void (*set)(GValue *, Value), Value from)
{
    GValue value = G_VALUE_INIT;
    g_value_init(&value, type);
    set(&value, from);
    gst_value_list_append_and_take_value(&list, &value);
}

/// The device's formats as caps; null if no element supports any of them.
GstRef<GstCaps> make_caps(const DeviceFormats &formats)
{
    if (formats.samples.empty() || formats.rates.empty() || formats.maximum_channels == 0)
        return {};
    GValue samples = G_VALUE_INIT;
    gst_value_list_init(&samples, static_cast<guint>(formats.samples.size()));
    for (const auto &name : formats.samples)
        append_value<const gchar *>(samples, G_TYPE_STRING, g_value_set_string,
                                    gst_audio_format_to_string(audio_format(name)));
    GValue rates = G_VALUE_INIT;
    gst_value_list_init(&rates, static_cast<guint>(formats.rates.size()));
    for (const auto rate : formats.rates)
        append_value<gint>(rates, G_TYPE_INT, g_value_set_int, static_cast<gint>(rate));
    auto *structure =
        gst_structure_new("audio/x-raw", "layout", G_TYPE_STRING, "interleaved", nullptr);
    gst_structure_take_value(structure, "format", &samples);
    gst_structure_take_value(structure, "rate", &rates);
    if (formats.minimum_channels == formats.maximum_channels)
        gst_structure_set(structure, "channels", G_TYPE_INT,
                          static_cast<gint>(formats.minimum_channels), nullptr);
    else
        gst_structure_set(structure, "channels", GST_TYPE_INT_RANGE,
                          static_cast<gint>(formats.minimum_channels),
                          static_cast<gint>(formats.maximum_channels), nullptr);
    auto *caps = gst_caps_new_empty();
    gst_caps_append_structure(caps, structure);
    return GstRef<GstCaps>::adopt(caps);
}

/// Caps of the element's pad: what an application can link to.
GstRef<GstCaps> element_caps(const char *element, const char *pad)
{
    const auto factory = GstRef<GstElementFactory>::adopt(gst_element_factory_find(element));
    const GList *templates =
        factory ? gst_element_factory_get_static_pad_templates(factory.get()) : nullptr;
    for (; templates != nullptr; templates = templates->next) {
        auto *pad_template = static_cast<GstStaticPadTemplate *>(templates->data);
        if (g_str_equal(pad_template->name_template, pad))
            return GstRef<GstCaps>::adopt(gst_static_pad_template_get_caps(pad_template));
    }
    return GstRef<GstCaps>::adopt(gst_caps_new_any());
}

GstStructure *make_properties(const AudioDevice &device)
{
    auto *properties = Fields()
                           .set("device.api", std::string("alsa"))
                           .set("device.id", device.id)
                           .set("device.direction", std::string(name_of(device.direction)))
                           .set("alsa.card", device.card.number)
                           .set("alsa.card_id", device.card.id)
                           .set("alsa.card_name", device.card.name)
                           .set("alsa.device", device.number)
                           .set("alsa.name", device.name)
                           .set("alsa.pcm", device.pcm())
                           .release("jkvmaudio-device");
    if (const auto formats = device.formats ? make_caps(*device.formats) : GstRef<GstCaps>())
        gst_structure_set(properties, "alsa.formats", GST_TYPE_CAPS, formats.get(), nullptr);
    return properties;
}

} // namespace

GstDevice *make_device_object(const AudioDevice &device)
{
    const bool is_capture = device.direction == AudioDevice::Direction::capture;
    const auto caps =
        is_capture ? element_caps("jkvmaudiosrc", "src") : element_caps("jkvmaudiosink", "sink");
    auto label = device.card.name;
    if (device.number != 0)
        label += ", " + device.name;
    gchar *display_name = g_utf8_make_valid(label.c_str(), static_cast<gssize>(label.size()));
    auto *properties = make_properties(device);
    auto *object =
        g_object_new(gst_jkvm_audio_device_get_type(), "display-name", display_name, "caps",
                     caps.get(), "device-class", is_capture ? "Audio/Source" : "Audio/Sink",
                     "properties", properties, nullptr);
    gst_structure_free(properties);
    g_free(display_name);
    impl(object).set(device.property);
    return GST_DEVICE(object);
}

} // namespace jkvm
