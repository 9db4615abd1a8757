// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/alsa_device_source.h"

#include "alsa/alsa_device.h"
#include "alsa/alsa_log.h"
#include "alsa/sound_cards.h"

#include <array>
#include <memory>

#define GST_CAT_DEFAULT alsa_debug_category()

namespace jkvm {

namespace {

// Hz. ALSA can only test whether a device has a rate.
constexpr std::array<unsigned, 13> usual_rates{8000,  11025, 12000, 16000, 22050,  24000, 32000,
                                               44100, 48000, 88200, 96000, 176400, 192000};
static_assert(usual_rates.front() == AlsaDevice::minimum_rate);
static_assert(usual_rates.back() == AlsaDevice::maximum_rate);

struct ClosePcm {
    void operator()(snd_pcm_t *pcm) const { snd_pcm_close(pcm); }
};

/// Returns the part of the device's configuration space that the elements support.
DeviceFormats usable_formats(snd_pcm_t *pcm, snd_pcm_hw_params_t *hw)
{
    DeviceFormats formats;
    snd_pcm_hw_params_set_rate_resample(pcm, hw, 0);
    if (snd_pcm_hw_params_any(pcm, hw) < 0 ||
        snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_MMAP_INTERLEAVED) < 0)
        return formats;
    for (const auto format : AlsaDevice::sample_formats)
        if (snd_pcm_hw_params_test_format(pcm, hw, format) == 0)
            formats.samples.emplace_back(snd_pcm_format_name(format));
    for (const auto rate : usual_rates)
        if (snd_pcm_hw_params_test_rate(pcm, hw, rate, 0) == 0)
            formats.rates.push_back(rate);
    snd_pcm_hw_params_get_channels_min(hw, &formats.minimum_channels);
    snd_pcm_hw_params_get_channels_max(hw, &formats.maximum_channels);
    return formats;
}

} // namespace

std::vector<AudioDevice> AlsaDeviceSource::list()
{
    return list_audio_devices();
}

std::optional<DeviceFormats> AlsaDeviceSource::query_formats(const AudioDevice &device)
{
    const AlsaErrorLog log;
    snd_pcm_t *handle = nullptr;
    const auto stream = device.direction == AudioDevice::Direction::capture
                            ? SND_PCM_STREAM_CAPTURE
                            : SND_PCM_STREAM_PLAYBACK;
    const auto name = device.pcm();
    if (const int code = snd_pcm_open(&handle, name.c_str(), stream, SND_PCM_NONBLOCK); code < 0) {
        GST_DEBUG("cannot query the formats of %s: %s", name.c_str(), snd_strerror(code));
        return std::nullopt;
    }
    const std::unique_ptr<snd_pcm_t, ClosePcm> pcm(handle);
    snd_pcm_hw_params_t *hw = nullptr;
    snd_pcm_hw_params_alloca(&hw);
    return usable_formats(pcm.get(), hw);
}

} // namespace jkvm
