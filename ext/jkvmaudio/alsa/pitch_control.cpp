// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/pitch_control.h"

#include "alsa/alsa_log.h"

#include <string>

#define GST_CAT_DEFAULT alsa_debug_category()

namespace jkvm {

namespace {

constexpr const char *control_name = "Playback Pitch 1000000";

class CardPitchControl final : public PitchControl {
public:
    struct Close {
        void operator()(snd_ctl_t *control) const { snd_ctl_close(control); }
    };
    using Handle = std::unique_ptr<snd_ctl_t, Close>;

    CardPitchControl(Handle control, unsigned device, long minimum, long maximum)
        : control_(std::move(control)), device_(device), minimum_(minimum), maximum_(maximum)
    {}
    /// The gadget's next host must not find the last one's pitch.
    ~CardPitchControl() override { (void)write(nominal); }
    CardPitchControl(const CardPitchControl &) = delete;
    CardPitchControl &operator=(const CardPitchControl &) = delete;

    bool set(long pitch) override { return write(pitch); }
    [[nodiscard]] long minimum() const override { return minimum_; }
    [[nodiscard]] long maximum() const override { return maximum_; }

private:
    bool write(long pitch)
    {
        snd_ctl_elem_value_t *value = nullptr;
        snd_ctl_elem_value_alloca(&value);
        snd_ctl_elem_value_set_interface(value, SND_CTL_ELEM_IFACE_PCM);
        snd_ctl_elem_value_set_device(value, device_);
        snd_ctl_elem_value_set_name(value, control_name);
        snd_ctl_elem_value_set_integer(value, 0, pitch);
        return snd_ctl_elem_write(control_.get(), value) >= 0;
    }

    Handle control_;
    unsigned device_;
    long minimum_;
    long maximum_;
};

} // namespace

std::unique_ptr<PitchControl> open_pitch_control(snd_pcm_t *pcm)
{
    const AlsaErrorLog log;
    snd_pcm_info_t *pcm_info = nullptr;
    snd_pcm_info_alloca(&pcm_info);
    if (snd_pcm_info(pcm, pcm_info) < 0 || snd_pcm_info_get_card(pcm_info) < 0)
        return nullptr;
    const auto card = "hw:" + std::to_string(snd_pcm_info_get_card(pcm_info));
    const auto device = snd_pcm_info_get_device(pcm_info);
    snd_ctl_t *opened = nullptr;
    if (snd_ctl_open(&opened, card.c_str(), SND_CTL_NONBLOCK) < 0)
        return nullptr;
    CardPitchControl::Handle control(opened);
    snd_ctl_elem_info_t *info = nullptr;
    snd_ctl_elem_info_alloca(&info);
    snd_ctl_elem_info_set_interface(info, SND_CTL_ELEM_IFACE_PCM);
    snd_ctl_elem_info_set_device(info, device);
    snd_ctl_elem_info_set_name(info, control_name);
    if (snd_ctl_elem_info(opened, info) < 0 ||
        snd_ctl_elem_info_get_type(info) != SND_CTL_ELEM_TYPE_INTEGER ||
        snd_ctl_elem_info_is_writable(info) == 0)
        return nullptr;
    const long minimum = snd_ctl_elem_info_get_min(info);
    const long maximum = snd_ctl_elem_info_get_max(info);
    GST_DEBUG("%s has a pitch control, %ld to %ld", card.c_str(), minimum, maximum);
    if (minimum > PitchControl::nominal || maximum < PitchControl::nominal)
        return nullptr;
    return std::make_unique<CardPitchControl>(std::move(control), device, minimum, maximum);
}

} // namespace jkvm
