// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/alsa_device.h"

#include "alsa/alsa_log.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#define GST_CAT_DEFAULT alsa_debug_category()

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A device that fails again right after each recovery is lost; an unbounded retry would be a busy
// loop.
constexpr int max_recoveries = 10;

ErrorKind kind_of_open_error(int code)
{
    switch (-code) {
    case EBUSY:
    case EAGAIN:
        return ErrorKind::device_busy;
    case EACCES:
    case EPERM:
        return ErrorKind::device_forbidden;
    case EINVAL:
        return ErrorKind::device_unsupported;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ErrorKind::out_of_resources;
    default:
        return ErrorKind::device_missing;
    }
}

/// The first supported sample format that the device has; unknown if it has none of them.
snd_pcm_format_t choose_format(snd_pcm_t *pcm, snd_pcm_hw_params_t *hw)
{
    for (const auto format : AlsaDevice::sample_formats)
        if (snd_pcm_hw_params_set_format(pcm, hw, format) >= 0)
            return format;
    return SND_PCM_FORMAT_UNKNOWN;
}

snd_pcm_uframes_t to_samples(nanoseconds time, unsigned rate)
{
    return static_cast<snd_pcm_uframes_t>(time * rate / 1s);
}

nanoseconds to_time(snd_pcm_uframes_t samples, unsigned rate)
{
    return nanoseconds(std::chrono::seconds(samples)) / rate;
}

} // namespace

Error AlsaDevice::make_error(ErrorKind kind, const std::string &call, int code) const
{
    return {kind, name_, call + ": " + snd_strerror(code) + " (" + std::to_string(code) + ")",
            -code};
}

Result<AlsaDevice> AlsaDevice::open(Direction direction, const Config &config)
{
    const AlsaErrorLog log;
    GST_DEBUG("opening %s for %s", config.device.c_str(),
              direction == Direction::capture ? "capture" : "playback");
    snd_pcm_t *handle = nullptr;
    const int code = snd_pcm_open(&handle, config.device.c_str(),
                                  direction == Direction::capture ? SND_PCM_STREAM_CAPTURE
                                                                  : SND_PCM_STREAM_PLAYBACK,
                                  SND_PCM_NONBLOCK);
    AlsaDevice device(direction, config.device, handle);
    auto configured =
        code < 0 ? Status(device.make_error(kind_of_open_error(code), "snd_pcm_open", code))
                 : device.configure(config);
    if (!configured) {
        GST_DEBUG("cannot use %s: %s", config.device.c_str(), configured.error().detail.c_str());
        return configured.error();
    }
    device.log_format();
    return device;
}

void AlsaDevice::log_format() const
{
    GST_DEBUG("%s granted %s, %u Hz, %u channels, period %" G_GINT64_FORMAT
              " us, buffer %" G_GINT64_FORMAT " us%s",
              name_.c_str(), snd_pcm_format_name(format_.sample), format_.rate, format_.channels,
              static_cast<gint64>(format_.period / 1us),
              static_cast<gint64>(format_.buffer_time / 1us),
              format_.is_coarse ? ", position in whole periods" : "");
}

Status AlsaDevice::configure(const Config &config)
{
    if (auto configured = configure_hardware(config); !configured)
        return configured;
    sample_bytes_ = static_cast<std::size_t>(snd_pcm_frames_to_bytes(handle_.get(), 1));
    read_channel_map();
    if (auto configured = configure_software(); !configured)
        return configured;
    const int count = snd_pcm_poll_descriptors_count(handle_.get());
    if (count <= 0)
        return make_error(ErrorKind::device_unsupported, "snd_pcm_poll_descriptors_count", count);
    poll_fds_.resize(static_cast<std::size_t>(count) + 1);
    return Done{};
}

Status AlsaDevice::configure_hardware(const Config &config)
{
    auto *pcm = handle_.get();
    snd_pcm_hw_params_t *hw = nullptr;
    snd_pcm_hw_params_alloca(&hw);
    if (const int code = snd_pcm_hw_params_any(pcm, hw); code < 0)
        return make_error(ErrorKind::device_unsupported, "snd_pcm_hw_params_any", code);
    if (auto chosen = choose_layout(hw, config); !chosen)
        return chosen;
    if (auto chosen = choose_buffer(hw, config); !chosen)
        return chosen;
    if (const int code = snd_pcm_hw_params(pcm, hw); code < 0)
        return make_error(ErrorKind::device_unsupported, "snd_pcm_hw_params", code);
    // The sizes requested above were only approximate.
    snd_pcm_uframes_t period = 0;
    snd_pcm_uframes_t buffer = 0;
    snd_pcm_hw_params_get_period_size(hw, &period, nullptr);
    snd_pcm_hw_params_get_buffer_size(hw, &buffer);
    format_.period = to_time(period, format_.rate);
    format_.buffer_time = to_time(buffer, format_.rate);
    format_.is_coarse = snd_pcm_hw_params_is_batch(hw) != 0;
    return Done{};
}

Status AlsaDevice::choose_layout(snd_pcm_hw_params_t *hw, const Config &config)
{
    auto *pcm = handle_.get();
    const auto unsupported = [this](const std::string &call, int code) {
        return make_error(ErrorKind::device_unsupported, call, code);
    };
    int code = snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_MMAP_INTERLEAVED);
    if (code < 0)
        return unsupported("memory-mapped access", code);
    format_.sample = choose_format(pcm, hw);
    if (format_.sample == SND_PCM_FORMAT_UNKNOWN)
        return unsupported("formats S16_LE, S32_LE, S24_3LE, S24_LE", -EINVAL);
    format_.channels = config.channels;
    code = snd_pcm_hw_params_set_channels_near(pcm, hw, &format_.channels);
    if (code < 0)
        return unsupported(std::to_string(config.channels) + " channels", code);
    // This plugin converts the rate itself, so that the latency of the conversion is known.
    snd_pcm_hw_params_set_rate_resample(pcm, hw, 0);
    unsigned minimum = minimum_rate;
    unsigned maximum = maximum_rate;
    code = snd_pcm_hw_params_set_rate_minmax(pcm, hw, &minimum, nullptr, &maximum, nullptr);
    if (code < 0)
        return unsupported("rate 8000 to 192000", code);
    format_.rate = 48000;
    code = snd_pcm_hw_params_set_rate_near(pcm, hw, &format_.rate, nullptr);
    if (code < 0)
        return unsupported("rate 48000", code);
    return Done{};
}

Status AlsaDevice::choose_buffer(snd_pcm_hw_params_t *hw, const Config &config)
{
    auto *pcm = handle_.get();
    auto period = std::max<snd_pcm_uframes_t>(1, to_samples(config.period, format_.rate));
    int code = snd_pcm_hw_params_set_period_size_near(pcm, hw, &period, nullptr);
    if (code < 0)
        return make_error(ErrorKind::device_unsupported, "period " + std::to_string(period), code);
    const auto requested = to_samples(config.buffer_time, format_.rate);
    auto buffer = std::max<snd_pcm_uframes_t>(2, (requested + period - 1) / period) * period;
    code = snd_pcm_hw_params_set_buffer_size_near(pcm, hw, &buffer);
    if (code < 0)
        return make_error(ErrorKind::device_unsupported, "buffer " + std::to_string(buffer), code);
    return Done{};
}

Status AlsaDevice::configure_software()
{
    auto *pcm = handle_.get();
    snd_pcm_sw_params_t *sw = nullptr;
    snd_pcm_sw_params_alloca(&sw);
    snd_pcm_sw_params_current(pcm, sw);
    // A driver that refuses these has no usable timestamps, which DriverTimestamps detects.
    snd_pcm_sw_params_set_tstamp_mode(pcm, sw, SND_PCM_TSTAMP_ENABLE);
    snd_pcm_sw_params_set_tstamp_type(pcm, sw, SND_PCM_TSTAMP_TYPE_MONOTONIC);
    if (const int code = snd_pcm_sw_params(pcm, sw); code < 0)
        return make_error(ErrorKind::device_unsupported, "snd_pcm_sw_params", code);
    return Done{};
}

void AlsaDevice::read_channel_map()
{
    if (format_.channels <= 2)
        return;
    auto *map = snd_pcm_get_chmap(handle_.get());
    if (map == nullptr)
        return;
    format_.map.assign(map->pos, map->pos + map->channels);
    std::free(map); // NOLINT: allocated by alsa-lib with malloc
}

Status AlsaDevice::set_wake_threshold(std::size_t samples)
{
    snd_pcm_sw_params_t *sw = nullptr;
    snd_pcm_sw_params_alloca(&sw);
    snd_pcm_sw_params_current(handle_.get(), sw);
    int code = snd_pcm_sw_params_set_avail_min(handle_.get(), sw, samples);
    if (code >= 0)
        code = snd_pcm_sw_params(handle_.get(), sw);
    if (code < 0)
        return make_error(ErrorKind::device_unsupported, "avail_min " + std::to_string(samples),
                          code);
    return Done{};
}

Status AlsaDevice::start()
{
    const AlsaErrorLog log;
    recoveries_ = 0;
    if (const int code = snd_pcm_start(handle_.get()); code < 0)
        return make_error(ErrorKind::device_lost, "snd_pcm_start", code);
    return Done{};
}

void AlsaDevice::stop()
{
    const AlsaErrorLog log;
    // Both fail if the device was unplugged; start() reports that.
    snd_pcm_drop(handle_.get());
    snd_pcm_prepare(handle_.get());
}

AlsaDevice::Resumed AlsaDevice::resume()
{
    const AlsaErrorLog log;
    auto *pcm = handle_.get();
    const int code = snd_pcm_resume(pcm);
    GST_DEBUG("resuming %s: %s", name_.c_str(), code < 0 ? snd_strerror(code) : "done");
    if (code == -EAGAIN)
        return Resumed::not_yet;
    // After a resume some drivers run, some wait to be started; others cannot resume at all.
    if (code == 0 && snd_pcm_state(pcm) == SND_PCM_STATE_RUNNING)
        return Resumed::running;
    if (code < 0 && snd_pcm_prepare(pcm) < 0)
        return Resumed::failed;
    // Playback is started once the ring has been filled.
    if (direction_ == Direction::playback)
        return Resumed::running;
    return snd_pcm_start(pcm) < 0 ? Resumed::failed : Resumed::running;
}

AlsaDevice::Recovery AlsaDevice::recover(int code)
{
    const AlsaErrorLog log;
    GST_DEBUG("recovering %s from: %s", name_.c_str(), snd_strerror(code));
    auto *pcm = handle_.get();
    if (code == -ESTRPIPE)
        return Recovery::suspended;
    if (code == -EPIPE && ++recoveries_ <= max_recoveries) {
        int result = snd_pcm_prepare(pcm);
        if (result >= 0 && direction_ == Direction::capture)
            result = snd_pcm_start(pcm);
        if (result >= 0)
            return Recovery::restarted;
        code = result;
    }
    error_ = make_error(ErrorKind::device_lost,
                        direction_ == Direction::capture ? "reading" : "writing", code);
    return Recovery::failed;
}

void AlsaDevice::poll(const WaitControl &control, nanoseconds timeout)
{
    const auto limit = to_timespec(timeout);
    const auto count = static_cast<unsigned>(poll_fds_.size() - 1);
    snd_pcm_poll_descriptors(handle_.get(), poll_fds_.data(), count);
    poll_fds_.back() = {control.fd(), POLLIN, 0};
    if (::ppoll(poll_fds_.data(), poll_fds_.size(), &limit, nullptr) < 0)
        return; // EINTR
    // An I/O plugin consumes its own events here. The events are ignored: the stream's state shows
    // their cause.
    unsigned short events = 0;
    snd_pcm_poll_descriptors_revents(handle_.get(), poll_fds_.data(), count, &events);
}

} // namespace jkvm
