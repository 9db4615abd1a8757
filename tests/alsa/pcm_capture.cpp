// SPDX-License-Identifier: LGPL-2.1-or-later
// Captures from the test PCM as a plain libasound program does: opens, polls, reads.
#include "alsa/pcm_capture.h"

#include <poll.h>

#include <algorithm>

namespace jkvm::testing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds wait_timeout{5000};

} // namespace

int PcmCapture::open(const std::string &device, const CaptureSettings &settings)
{
    close();
    settings_ = settings;
    int error = snd_pcm_open(&pcm_, device.c_str(), SND_PCM_STREAM_CAPTURE, SND_PCM_NONBLOCK);
    if (error < 0) {
        pcm_ = nullptr;
        return error;
    }
    error = configure();
    if (error < 0)
        close();
    return error;
}

int PcmCapture::configure()
{
    const auto access =
        settings_.mmap ? SND_PCM_ACCESS_MMAP_INTERLEAVED : SND_PCM_ACCESS_RW_INTERLEAVED;
    snd_pcm_hw_params_t *params = nullptr;
    snd_pcm_hw_params_alloca(&params);
    int error = snd_pcm_hw_params_any(pcm_, params);
    if (error >= 0)
        error = snd_pcm_hw_params_set_access(pcm_, params, access);
    if (error >= 0)
        error = snd_pcm_hw_params_set_format(pcm_, params, settings_.format);
    if (error >= 0)
        error = snd_pcm_hw_params_set_channels(pcm_, params, settings_.channels);
    if (error >= 0)
        error = snd_pcm_hw_params_set_rate(pcm_, params, settings_.rate, 0);
    if (error >= 0)
        error = snd_pcm_hw_params_set_period_time_near(pcm_, params, &settings_.period_us, nullptr);
    if (error >= 0)
        error = snd_pcm_hw_params_set_buffer_time_near(pcm_, params, &settings_.buffer_us, nullptr);
    if (error >= 0)
        error = snd_pcm_hw_params(pcm_, params);
    if (error < 0)
        return error;
    snd_pcm_hw_params_get_buffer_size(params, &buffer_size_);
    frame_bytes_ = static_cast<size_t>(snd_pcm_frames_to_bytes(pcm_, 1));
    return 0;
}

void PcmCapture::close()
{
    if (pcm_)
        snd_pcm_close(pcm_);
    pcm_ = nullptr;
}

int PcmCapture::restart()
{
    const int error = snd_pcm_prepare(pcm_);
    return error < 0 ? error : start();
}

int PcmCapture::wait(std::chrono::milliseconds timeout)
{
    const auto end = Clock::now() + timeout;
    pollfd fd = {};
    if (snd_pcm_poll_descriptors(pcm_, &fd, 1) != 1)
        return POLLNVAL;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        if (left.count() <= 0 || poll(&fd, 1, static_cast<int>(left.count())) == 0)
            return 0;
        unsigned short events = 0;
        snd_pcm_poll_descriptors_revents(pcm_, &fd, 1, &events);
        if (events != 0)
            return events;
    }
}

bool PcmCapture::wakes_up(std::chrono::milliseconds timeout)
{
    pollfd fd = {};
    return snd_pcm_poll_descriptors(pcm_, &fd, 1) == 1 &&
           poll(&fd, 1, static_cast<int>(timeout.count())) > 0;
}

snd_pcm_state_t PcmCapture::wait_for_error(std::chrono::milliseconds timeout)
{
    const auto end = Clock::now() + timeout;
    while (Clock::now() < end) {
        if (wait(timeout) & POLLERR)
            break;
    }
    return snd_pcm_state(pcm_);
}

snd_pcm_sframes_t PcmCapture::read(snd_pcm_uframes_t max_frames, Bytes &to)
{
    const size_t begin = to.size();
    snd_pcm_sframes_t count = 0;
    if (!settings_.mmap) {
        to.resize(begin + max_frames * frame_bytes_);
        count = snd_pcm_readi(pcm_, to.data() + begin, max_frames);
        if (count == -EAGAIN)
            count = 0;
        to.resize(begin +
                  static_cast<size_t>(std::max<snd_pcm_sframes_t>(count, 0)) * frame_bytes_);
        return count;
    }
    count = snd_pcm_avail_update(pcm_);
    if (count < 0)
        return count;
    const snd_pcm_channel_area_t *areas = nullptr;
    snd_pcm_uframes_t offset = 0;
    snd_pcm_uframes_t frames = std::min(max_frames, static_cast<snd_pcm_uframes_t>(count));
    // Reads twice: a repeated read must return the same samples.
    for (int i = 0; i < 2; i++) {
        if (const int error = snd_pcm_mmap_begin(pcm_, &areas, &offset, &frames); error < 0)
            return error;
    }
    const auto *data = static_cast<const unsigned char *>(areas[0].addr) + offset * frame_bytes_;
    to.insert(to.end(), data, data + frames * frame_bytes_);
    return snd_pcm_mmap_commit(pcm_, offset, frames);
}

int PcmCapture::read_all(snd_pcm_uframes_t frames, Bytes &to)
{
    while (frames > 0) {
        if (wait(wait_timeout) == 0)
            return -ETIMEDOUT;
        const snd_pcm_sframes_t count = read(frames, to);
        if (count < 0)
            return static_cast<int>(count);
        frames -= static_cast<snd_pcm_uframes_t>(count);
    }
    return 0;
}

int PcmCapture::read_until_error()
{
    const auto end = Clock::now() + wait_timeout;
    Bytes bytes;
    while (Clock::now() < end) {
        wait(wait_timeout);
        bytes.clear();
        if (const snd_pcm_sframes_t count = read(buffer_size_, bytes); count < 0)
            return static_cast<int>(count);
    }
    return 0;
}

std::vector<double> channel_of(const PcmCapture::Bytes &bytes, unsigned channels, unsigned channel)
{
    std::vector<double> samples(bytes.size() / (size_t{2} * channels));
    for (size_t i = 0; i < samples.size(); i++) {
        const size_t at = (i * channels + channel) * 2;
        samples[i] = static_cast<int16_t>(bytes[at] | (bytes[at + 1] << 8));
    }
    return samples;
}

} // namespace jkvm::testing
