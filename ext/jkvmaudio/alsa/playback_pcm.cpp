// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/playback_pcm.h"

#include "alsa/alsa_log.h"
#include "alsa/s16_samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

/// Stores one sample, little-endian, clipped to full scale.
void store_sample(snd_pcm_format_t format, float sample, std::byte *to)
{
    const bool is_16_bit = format == SND_PCM_FORMAT_S16_LE;
    const bool is_32_bit = format == SND_PCM_FORMAT_S32_LE;
    const double scale = is_16_bit ? 32768.0 : is_32_bit ? 2147483648.0 : 8388608.0;
    const double value = std::clamp(std::nearbyint(sample * scale), -scale, scale - 1);
    const auto bits = static_cast<std::uint32_t>(static_cast<std::int32_t>(value));
    const int bytes = is_16_bit ? 2 : format == SND_PCM_FORMAT_S24_3LE ? 3 : 4;
    for (int i = 0; i < bytes; ++i)
        to[i] = static_cast<std::byte>(bits >> (8 * i));
}

std::size_t bytes_of(snd_pcm_format_t format)
{
    return static_cast<std::size_t>(snd_pcm_format_physical_width(format)) / 8;
}

} // namespace

Result<PlaybackPcm> PlaybackPcm::open(const AlsaDevice::Config &config)
{
    auto device = AlsaDevice::open(AlsaDevice::Direction::playback, config);
    if (!device)
        return device.error();
    PlaybackPcm pcm(std::move(*device));
    snd_pcm_uframes_t buffer = 0;
    snd_pcm_uframes_t period = 0;
    snd_pcm_get_params(pcm.device_.handle(), &buffer, &period);
    pcm.buffer_ = buffer;
    return pcm;
}

std::size_t PlaybackPcm::to_frames(nanoseconds time) const
{
    return static_cast<std::size_t>(std::max(time, 0ns) * format().rate / 1s);
}

Status PlaybackPcm::start(nanoseconds silence)
{
    // Audio left in the ring is outdated and must not be played.
    device_.stop();
    written_ = pointer_ = 0;
    write_error_ = 0;
    write_silence(std::min(to_frames(silence), buffer_));
    return device_.start();
}

PlaybackPcm::Outcome PlaybackPcm::update()
{
    auto code = static_cast<snd_pcm_sframes_t>(std::exchange(write_error_, 0));
    if (code == 0)
        code = snd_pcm_avail(device_.handle());
    if (code >= 0) {
        const auto queued = buffer_ - std::min(static_cast<std::size_t>(code), buffer_);
        // A rewind reduces `written_` and `queued` alike, so it does not move the pointer.
        pointer_ = std::max(pointer_, written_ - std::min<std::uint64_t>(written_, queued));
        return Outcome::ready;
    }
    switch (device_.recover(static_cast<int>(code))) {
    case AlsaDevice::Recovery::restarted:
        return Outcome::underrun;
    case AlsaDevice::Recovery::suspended:
        return Outcome::suspended;
    default:
        return Outcome::failed;
    }
}

std::size_t PlaybackPcm::room() const
{
    return buffer_ - std::min<std::size_t>(buffer_, written_ - pointer_);
}

nanoseconds PlaybackPcm::driver_delay()
{
    snd_pcm_sframes_t available = 0;
    snd_pcm_sframes_t delay = 0;
    if (snd_pcm_avail_delay(device_.handle(), &available, &delay) < 0)
        return 0ns;
    const auto queued = static_cast<snd_pcm_sframes_t>(buffer_) - available;
    return nanoseconds(std::chrono::seconds(std::max(0L, delay - queued))) / format().rate;
}

template <typename Store>
std::size_t PlaybackPcm::transfer(std::size_t frames, Store store)
{
    std::size_t done = 0;
    while (done < frames) {
        const snd_pcm_channel_area_t *areas = nullptr;
        snd_pcm_uframes_t offset = 0;
        snd_pcm_uframes_t count = frames - done;
        int code = snd_pcm_mmap_begin(device_.handle(), &areas, &offset, &count);
        if (code >= 0 && count == 0)
            break;
        if (code >= 0) {
            // Interleaved: the start and step of the first area (bits) describe all channels.
            store(static_cast<std::byte *>(areas[0].addr) +
                      (areas[0].first + offset * areas[0].step) / 8,
                  done, count);
            code = static_cast<int>(snd_pcm_mmap_commit(device_.handle(), offset, count));
        }
        if (code < 0) {
            write_error_ = code;
            break;
        }
        done += count;
        written_ += count;
    }
    if (done > 0)
        device_.on_transfer();
    return done;
}

std::size_t PlaybackPcm::write(std::span<const float> samples, unsigned channels)
{
    const auto sample = format().sample;
    const auto bytes = bytes_of(sample);
    const unsigned used = std::min(2U, format().channels);
    const bool is_plain = sample == SND_PCM_FORMAT_S16_LE && channels == format().channels;
    return transfer(
        samples.size() / channels, [&](std::byte *to, std::size_t first, std::size_t frames) {
            if (is_plain)
                return store_s16(samples.subspan(first * channels, frames * channels), to);
            std::memset(to, 0, frames * device_.bytes_per_sample());
            for (std::size_t i = 0; i < frames; ++i, to += device_.bytes_per_sample()) {
                const float *from = samples.data() + (first + i) * channels;
                // A mono device plays the mean of a stereo stream.
                const bool mixes = channels == 2 && used == 1;
                for (unsigned c = 0; c < used; ++c)
                    store_sample(sample, mixes ? (from[0] + from[1]) / 2 : from[c % channels],
                                 to + c * bytes);
            }
        });
}

std::size_t PlaybackPcm::write_silence(std::size_t frames)
{
    // All formats are signed.
    return transfer(frames, [&](std::byte *to, std::size_t, std::size_t count) {
        std::memset(to, 0, count * device_.bytes_per_sample());
    });
}

std::size_t PlaybackPcm::rewind(std::size_t frames)
{
    const auto done = snd_pcm_rewind(device_.handle(), frames);
    if (done <= 0)
        return 0;
    written_ -= static_cast<std::uint64_t>(done);
    return static_cast<std::size_t>(done);
}

} // namespace jkvm
