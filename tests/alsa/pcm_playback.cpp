// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/pcm_playback.h"

#include <poll.h>

#include <algorithm>

namespace jkvm::testing {

int PcmPlayback::open(const std::string &device, const PlaybackSettings &settings)
{
    close();
    settings_ = settings;
    const int error =
        snd_pcm_open(&pcm_, device.c_str(), SND_PCM_STREAM_PLAYBACK, SND_PCM_NONBLOCK);
    return error < 0 ? error : configure();
}

int PcmPlayback::configure()
{
    snd_pcm_hw_params_t *hw = nullptr;
    snd_pcm_hw_params_alloca(&hw);
    int error = snd_pcm_hw_params_any(pcm_, hw);
    const auto then = [&error](int result) { error = std::min(error, result); };
    then(snd_pcm_hw_params_set_access(pcm_, hw,
                                      settings_.mmap ? SND_PCM_ACCESS_MMAP_INTERLEAVED
                                                     : SND_PCM_ACCESS_RW_INTERLEAVED));
    then(snd_pcm_hw_params_set_format(pcm_, hw, settings_.format));
    then(snd_pcm_hw_params_set_channels(pcm_, hw, settings_.channels));
    then(snd_pcm_hw_params_set_rate(pcm_, hw, settings_.rate, 0));
    then(snd_pcm_hw_params_set_period_size(pcm_, hw, settings_.period, 0));
    then(snd_pcm_hw_params_set_buffer_size(pcm_, hw, settings_.buffer));
    then(snd_pcm_hw_params(pcm_, hw));
    snd_pcm_sw_params_t *sw = nullptr;
    snd_pcm_sw_params_alloca(&sw);
    then(snd_pcm_sw_params_current(pcm_, sw));
    then(snd_pcm_sw_params_set_avail_min(pcm_, sw, settings_.period));
    // Disables the automatic start; only snd_pcm_start() starts the stream.
    snd_pcm_uframes_t boundary = 0;
    then(snd_pcm_sw_params_get_boundary(sw, &boundary));
    then(snd_pcm_sw_params_set_start_threshold(pcm_, sw, boundary));
    then(snd_pcm_sw_params(pcm_, sw));
    written_ = 0;
    return error;
}

void PcmPlayback::close()
{
    if (pcm_)
        snd_pcm_close(pcm_);
    pcm_ = nullptr;
}

snd_pcm_sframes_t PcmPlayback::write(const std::vector<int16_t> &frames)
{
    std::vector<int16_t> samples;
    for (const int16_t frame : frames)
        samples.insert(samples.end(), settings_.channels, frame);
    const auto result = settings_.mmap ? snd_pcm_mmap_writei(pcm_, samples.data(), frames.size())
                                       : snd_pcm_writei(pcm_, samples.data(), frames.size());
    if (result > 0)
        written_ += static_cast<uint64_t>(result);
    return result;
}

uint64_t PcmPlayback::pointer()
{
    const auto available = snd_pcm_avail(pcm_);
    return written_ - (settings_.buffer - static_cast<uint64_t>(std::max(0L, available)));
}

int PcmPlayback::wait(std::chrono::milliseconds timeout)
{
    pollfd descriptor = {};
    snd_pcm_poll_descriptors(pcm_, &descriptor, 1);
    const auto end = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0 || poll(&descriptor, 1, static_cast<int>(left.count())) <= 0)
            return 0;
        unsigned short events = 0;
        snd_pcm_poll_descriptors_revents(pcm_, &descriptor, 1, &events);
        if (events != 0)
            return events;
    }
}

int PcmPlayback::play(const std::vector<int16_t> &frames, uint64_t count)
{
    for (;;) {
        const auto available = snd_pcm_avail(pcm_);
        if (available < 0)
            return static_cast<int>(available);
        if (pointer() >= count)
            return 0;
        if (available >= static_cast<snd_pcm_sframes_t>(frames.size()))
            write(frames);
        else if (wait(std::chrono::seconds(10)) == 0)
            return -ETIMEDOUT;
    }
}

} // namespace jkvm::testing
