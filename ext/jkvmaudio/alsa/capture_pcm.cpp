// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/capture_pcm.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A device that fails again at once after each recovery is lost; without a bound that would be a
// busy loop.
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

/// The first of the sample formats that the device has; unknown when it has none of them.
snd_pcm_format_t choose_format(snd_pcm_t *pcm, snd_pcm_hw_params_t *hw)
{
    for (const auto format : {SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S32_LE, SND_PCM_FORMAT_S24_3LE,
                              SND_PCM_FORMAT_S24_LE})
        if (snd_pcm_hw_params_set_format(pcm, hw, format) >= 0)
            return format;
    return SND_PCM_FORMAT_UNKNOWN;
}

snd_pcm_uframes_t to_samples(nanoseconds time, unsigned rate)
{
    return static_cast<snd_pcm_uframes_t>(time * rate / 1s);
}

} // namespace

Error CapturePcm::make_error(ErrorKind kind, const std::string &call, int code) const
{
    return {kind, device_, call + ": " + snd_strerror(code) + " (" + std::to_string(code) + ")",
            -code};
}

nanoseconds CapturePcm::to_time(std::size_t samples) const
{
    return nanoseconds(std::chrono::seconds(samples)) / format_.rate;
}

Result<CapturePcm> CapturePcm::open(const Config &config)
{
    snd_pcm_t *handle = nullptr;
    const int code =
        snd_pcm_open(&handle, config.device.c_str(), SND_PCM_STREAM_CAPTURE, SND_PCM_NONBLOCK);
    CapturePcm pcm(config.device, handle);
    if (code < 0)
        return pcm.make_error(kind_of_open_error(code), "snd_pcm_open", code);
    if (auto configured = pcm.configure(config); !configured)
        return configured.error();
    return pcm;
}

Status CapturePcm::configure_hardware(const Config &config)
{
    auto *pcm = handle_.get();
    const auto unsupported = [this](const std::string &call, int code) {
        return make_error(ErrorKind::device_unsupported, call, code);
    };
    snd_pcm_hw_params_t *hw = nullptr;
    snd_pcm_hw_params_alloca(&hw);
    int code = snd_pcm_hw_params_any(pcm, hw);
    if (code < 0)
        return unsupported("snd_pcm_hw_params_any", code);
    code = snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_MMAP_INTERLEAVED);
    if (code < 0)
        return unsupported("memory-mapped access", code);
    format_.sample = choose_format(pcm, hw);
    if (format_.sample == SND_PCM_FORMAT_UNKNOWN)
        return unsupported("formats S16_LE, S32_LE, S24_3LE, S24_LE", -EINVAL);
    format_.channels = config.channels;
    code = snd_pcm_hw_params_set_channels_near(pcm, hw, &format_.channels);
    if (code < 0)
        return unsupported(std::to_string(config.channels) + " channels", code);
    // If it has to be converted, then by us, who know what that adds to the latency.
    snd_pcm_hw_params_set_rate_resample(pcm, hw, 0);
    unsigned lowest = 8000;
    unsigned highest = 192000;
    code = snd_pcm_hw_params_set_rate_minmax(pcm, hw, &lowest, nullptr, &highest, nullptr);
    if (code < 0)
        return unsupported("rate 8000 to 192000", code);
    format_.rate = 48000;
    code = snd_pcm_hw_params_set_rate_near(pcm, hw, &format_.rate, nullptr);
    if (code < 0)
        return unsupported("rate 48000", code);

    auto period = std::max<snd_pcm_uframes_t>(1, to_samples(config.period, format_.rate));
    code = snd_pcm_hw_params_set_period_size_near(pcm, hw, &period, nullptr);
    if (code < 0)
        return unsupported("period " + std::to_string(period), code);
    const auto wanted = to_samples(config.buffer_time, format_.rate);
    auto buffer = std::max<snd_pcm_uframes_t>(2, (wanted + period - 1) / period) * period;
    code = snd_pcm_hw_params_set_buffer_size_near(pcm, hw, &buffer);
    if (code < 0)
        return unsupported("buffer " + std::to_string(buffer), code);
    code = snd_pcm_hw_params(pcm, hw);
    if (code < 0)
        return unsupported("snd_pcm_hw_params", code);
    // What "near" meant in the end.
    snd_pcm_hw_params_get_period_size(hw, &period, nullptr);
    snd_pcm_hw_params_get_buffer_size(hw, &buffer);
    format_.period = to_time(period);
    format_.buffer_time = to_time(buffer);
    format_.is_coarse = snd_pcm_hw_params_is_batch(hw) != 0;
    return Done{};
}

Status CapturePcm::configure(const Config &config)
{
    if (auto configured = configure_hardware(config); !configured)
        return configured;
    auto *pcm = handle_.get();
    sample_bytes_ = static_cast<std::size_t>(snd_pcm_frames_to_bytes(pcm, 1));
    read_map();

    // Without these the driver's timestamps are none, which is noticed.
    snd_pcm_sw_params_t *sw = nullptr;
    snd_pcm_sw_params_alloca(&sw);
    snd_pcm_sw_params_current(pcm, sw);
    snd_pcm_sw_params_set_tstamp_mode(pcm, sw, SND_PCM_TSTAMP_ENABLE);
    snd_pcm_sw_params_set_tstamp_type(pcm, sw, SND_PCM_TSTAMP_TYPE_MONOTONIC);
    if (const int code = snd_pcm_sw_params(pcm, sw); code < 0)
        return make_error(ErrorKind::device_unsupported, "snd_pcm_sw_params", code);

    const int count = snd_pcm_poll_descriptors_count(pcm);
    if (count <= 0)
        return make_error(ErrorKind::device_unsupported, "snd_pcm_poll_descriptors_count", count);
    poll_fds_.resize(static_cast<std::size_t>(count) + 1);
    return Done{};
}

void CapturePcm::read_map()
{
    if (format_.channels <= 2)
        return;
    auto *map = snd_pcm_get_chmap(handle_.get());
    if (map == nullptr)
        return;
    format_.map.assign(map->pos, map->pos + map->channels);
    std::free(map); // NOLINT: alsa-lib made it with malloc
}

Status CapturePcm::wake_at(std::size_t samples)
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

Status CapturePcm::start()
{
    recoveries_ = 0;
    asked_at_.reset();
    if (const int code = snd_pcm_start(handle_.get()); code < 0)
        return make_error(ErrorKind::device_lost, "snd_pcm_start", code);
    return Done{};
}

void CapturePcm::stop()
{
    // Fails when the device is gone, which start() will say.
    snd_pcm_drop(handle_.get());
    snd_pcm_prepare(handle_.get());
}

CapturePcm::Resumed CapturePcm::resume()
{
    asked_at_.reset();
    auto *pcm = handle_.get();
    const int code = snd_pcm_resume(pcm);
    if (code == -EAGAIN)
        return Resumed::not_yet;
    // Some drivers run again after that, some wait to be started, some cannot resume at all.
    if (code == 0 && snd_pcm_state(pcm) == SND_PCM_STATE_RUNNING)
        return Resumed::running;
    if (code < 0 && snd_pcm_prepare(pcm) < 0)
        return Resumed::failed;
    return snd_pcm_start(pcm) < 0 ? Resumed::failed : Resumed::running;
}

void CapturePcm::measure_age(snd_pcm_sframes_t available, snd_pcm_sframes_t delay)
{
    available_ = unread_ = static_cast<std::size_t>(available);
    // What the driver's own hardware holds beyond the ring.
    const auto beyond = std::max<snd_pcm_sframes_t>(0, delay - available);
    auto unread = static_cast<snd_pcm_uframes_t>(available + beyond);
    const auto now = monotonic_now();
    asked_at_ = now;
    nanoseconds stamp_age{0};
    snd_pcm_uframes_t at_stamp = 0;
    snd_htimestamp_t stamp{};
    if (driver_timestamps_.are_used() &&
        snd_pcm_htimestamp(handle_.get(), &at_stamp, &stamp) >= 0) {
        const MonotonicTime time{std::chrono::seconds(stamp.tv_sec) + nanoseconds(stamp.tv_nsec)};
        stamp_age = driver_timestamps_.age(time, now);
        if (stamp_age > 0ns)
            unread = at_stamp + static_cast<snd_pcm_uframes_t>(beyond);
    }
    captured_ = now - stamp_age - to_time(unread);
}

MonotonicTime CapturePcm::complete_at(std::size_t samples) const
{
    // One that knows only whole periods has more than it says.
    if (!asked_at_ || unread_ >= samples || format_.is_coarse)
        return MonotonicTime::min();
    // Who sleeps until then wakes up a little later, most times.
    return *asked_at_ + to_time(samples - unread_);
}

CapturePcm::Outcome CapturePcm::wait(const WaitControl &control, std::size_t samples, MonotonicTime deadline)
{
    auto *pcm = handle_.get();
    if (const int code = std::exchange(peek_error_, 0); code < 0)
        return recover(code);
    // Behind a frame it is known when the next one will be complete: until then the device is left
    // alone, and time alone is waited for. So it is noticed no sooner that it is gone, or has
    // overrun.
    control.sleep_until(std::min(complete_at(samples), deadline));
    // It may wake us at the end of a period, which need not be the end of what is waited for. So we
    // look when that should be complete, and if it is not then more and more rarely.
    auto pause = 0ns;
    for (;;) {
        if (control.is_set())
            return Outcome::interrupted;
        snd_pcm_sframes_t available = 0;
        snd_pcm_sframes_t delay = 0;
        if (const int code = snd_pcm_avail_delay(pcm, &available, &delay); code < 0)
            return recover(code);
        if (available >= static_cast<snd_pcm_sframes_t>(samples)) {
            measure_age(available, delay);
            return Outcome::ready;
        }
        const auto now = monotonic_now();
        if (now >= deadline)
            return Outcome::timed_out;
        const auto missing = samples - static_cast<std::size_t>(std::max(0L, available));
        pause = pause == 0ns ? to_time(missing) + 50us : std::max<nanoseconds>(1ms, 2 * pause);
        const auto timeout = to_timespec(std::min<nanoseconds>(deadline - now, pause));

        const auto count = static_cast<unsigned>(poll_fds_.size() - 1);
        snd_pcm_poll_descriptors(pcm, poll_fds_.data(), count);
        poll_fds_.back() = {control.fd(), POLLIN, 0};
        if (::ppoll(poll_fds_.data(), poll_fds_.size(), &timeout, nullptr) < 0)
            continue; // EINTR
        // Lets a plugin's device take its own events off the descriptors; what they mean shows in
        // the next round.
        unsigned short events = 0;
        snd_pcm_poll_descriptors_revents(pcm, poll_fds_.data(), count, &events);
    }
}

CapturePcm::Outcome CapturePcm::recover(int code)
{
    asked_at_.reset();
    auto *pcm = handle_.get();
    if (code == -ESTRPIPE)
        return Outcome::suspended;
    if (code == -EPIPE && ++recoveries_ <= max_recoveries) {
        int result = snd_pcm_prepare(pcm);
        if (result >= 0)
            result = snd_pcm_start(pcm);
        if (result >= 0)
            return Outcome::overrun;
        code = result;
    }
    error_ = make_error(ErrorKind::device_lost, "reading", code);
    return Outcome::failed;
}

std::span<const std::byte> CapturePcm::peek(std::size_t samples)
{
    const snd_pcm_channel_area_t *areas = nullptr;
    snd_pcm_uframes_t count = samples;
    const int code = snd_pcm_mmap_begin(handle_.get(), &areas, &offset_, &count);
    if (code < 0) {
        peek_error_ = code;
        return {};
    }
    // Interleaved: the first area's start and step, in bits, describe all channels.
    return {static_cast<const std::byte *>(areas[0].addr) +
                (areas[0].first + offset_ * areas[0].step) / 8,
            count * sample_bytes_};
}

void CapturePcm::commit(std::size_t samples)
{
    recoveries_ = 0;
    unread_ -= std::min(unread_, samples);
    // When this fails the device has overrun meanwhile; the next wait() sees it.
    snd_pcm_mmap_commit(handle_.get(), offset_, samples);
}

} // namespace jkvm
