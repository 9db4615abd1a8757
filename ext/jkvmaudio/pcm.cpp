// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pcm.h"

#include <algorithm>
#include <cerrno>

namespace jkvm {

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

} // namespace

Error Pcm::make_error(ErrorKind kind, const char *call, int code) const
{
    return {kind, config_.device,
            std::string(call) + ": " + snd_strerror(code) + " (" + std::to_string(code) + ")",
            -code};
}

nanoseconds Pcm::to_time(snd_pcm_uframes_t samples) const
{
    return nanoseconds(std::chrono::seconds(samples)) / config_.rate;
}

Result<Pcm> Pcm::open(const Config &config)
{
    snd_pcm_t *handle = nullptr;
    const int code =
        snd_pcm_open(&handle, config.device.c_str(), SND_PCM_STREAM_CAPTURE, SND_PCM_NONBLOCK);
    Pcm pcm(config, handle);
    if (code < 0)
        return pcm.make_error(kind_of_open_error(code), "snd_pcm_open", code);
    if (auto configured = pcm.configure(); !configured)
        return configured.error();
    return pcm;
}

Status Pcm::configure()
{
    auto *pcm = handle_.get();
    const auto unsupported = [this](const char *call, int code) {
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
    code = snd_pcm_hw_params_set_format(pcm, hw, SND_PCM_FORMAT_S16_LE);
    if (code < 0)
        return unsupported("format S16_LE", code);
    code = snd_pcm_hw_params_set_channels(pcm, hw, config_.channels);
    if (code < 0)
        return unsupported((std::to_string(config_.channels) + " channels").c_str(), code);
    code = snd_pcm_hw_params_set_rate(pcm, hw, config_.rate, 0);
    if (code < 0)
        return unsupported(("rate " + std::to_string(config_.rate)).c_str(), code);

    // One period is one frame, so that the device wakes the thread once a frame; and the ring is a
    // whole number of frames, so that none wraps around its end.
    period_size_ = config_.frame;
    code = snd_pcm_hw_params_set_period_size_near(pcm, hw, &period_size_, nullptr);
    if (code < 0)
        return unsupported(("period " + std::to_string(config_.frame)).c_str(), code);
    const auto wanted =
        static_cast<std::size_t>(config_.buffer_time * config_.rate / std::chrono::seconds(1));
    const auto frames = std::max<std::size_t>(2, (wanted + config_.frame - 1) / config_.frame);
    buffer_size_ = frames * config_.frame;
    code = snd_pcm_hw_params_set_buffer_size_near(pcm, hw, &buffer_size_);
    if (code < 0)
        return unsupported(("buffer " + std::to_string(frames * config_.frame)).c_str(), code);
    code = snd_pcm_hw_params(pcm, hw);
    if (code < 0)
        return unsupported("snd_pcm_hw_params", code);
    // What "near" meant in the end.
    snd_pcm_hw_params_get_period_size(hw, &period_size_, nullptr);
    snd_pcm_hw_params_get_buffer_size(hw, &buffer_size_);
    if (buffer_size_ <= config_.frame)
        return Error{ErrorKind::device_unsupported, config_.device,
                     "its ring of " + std::to_string(buffer_size_) +
                         " samples is too small for a frame of " + std::to_string(config_.frame)};

    snd_pcm_sw_params_t *sw = nullptr;
    snd_pcm_sw_params_alloca(&sw);
    snd_pcm_sw_params_current(pcm, sw);
    code = snd_pcm_sw_params_set_avail_min(pcm, sw, config_.frame);
    if (code < 0)
        return unsupported("avail_min", code);
    code = snd_pcm_sw_params(pcm, sw);
    if (code < 0)
        return unsupported("snd_pcm_sw_params", code);

    const int count = snd_pcm_poll_descriptors_count(pcm);
    if (count <= 0)
        return unsupported("snd_pcm_poll_descriptors_count", count);
    poll_fds_.resize(static_cast<std::size_t>(count) + 1);
    staging_.resize(config_.frame * config_.channels);
    return Done{};
}

Status Pcm::start()
{
    recoveries_ = 0;
    if (const int code = snd_pcm_start(handle_.get()); code < 0)
        return make_error(ErrorKind::device_lost, "snd_pcm_start", code);
    return Done{};
}

void Pcm::stop()
{
    // Fails when the device is gone, which start() will say.
    snd_pcm_drop(handle_.get());
    snd_pcm_prepare(handle_.get());
}

Pcm::Outcome Pcm::wait(const WaitControl &control)
{
    auto *pcm = handle_.get();
    for (;;) {
        if (control.is_set())
            return Outcome::interrupted;
        snd_pcm_sframes_t available = 0;
        snd_pcm_sframes_t delay = 0;
        if (const int code = snd_pcm_avail_delay(pcm, &available, &delay); code < 0)
            return recover(code);
        if (available >= static_cast<snd_pcm_sframes_t>(config_.frame)) {
            age_ = to_time(static_cast<snd_pcm_uframes_t>(std::max(available, delay)));
            const int code = take_frame();
            return code < 0 ? recover(code) : Outcome::ready;
        }
        const auto count = static_cast<unsigned>(poll_fds_.size() - 1);
        snd_pcm_poll_descriptors(pcm, poll_fds_.data(), count);
        poll_fds_.back() = {control.fd(), POLLIN, 0};
        if (::poll(poll_fds_.data(), poll_fds_.size(), -1) < 0)
            continue; // EINTR
        // Lets a plugin's device take its own events off the descriptors; what they mean shows in
        // the next round.
        unsigned short events = 0;
        snd_pcm_poll_descriptors_revents(pcm, poll_fds_.data(), count, &events);
    }
}

Pcm::Outcome Pcm::recover(int code)
{
    auto *pcm = handle_.get();
    const bool is_overrun = code == -EPIPE;
    const bool is_suspended = code == -ESTRPIPE;
    if ((is_overrun || is_suspended) && ++recoveries_ <= max_recoveries) {
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

int Pcm::take_frame()
{
    auto *pcm = handle_.get();
    frame_ = staging_;
    is_in_place_ = false;
    std::size_t copied = 0;
    while (copied < config_.frame) {
        const snd_pcm_channel_area_t *areas = nullptr;
        snd_pcm_uframes_t count = config_.frame - copied;
        if (const int code = snd_pcm_mmap_begin(pcm, &areas, &frame_offset_, &count); code < 0)
            return code;
        // Interleaved: the first area's start and step, in bits, describe all channels.
        const auto *bytes = static_cast<const std::byte *>(areas[0].addr) +
                            (areas[0].first + frame_offset_ * areas[0].step) / 8;
        const std::span samples(reinterpret_cast<const std::int16_t *>(bytes),
                                count * config_.channels);
        if (count == config_.frame) {
            frame_ = samples;
            is_in_place_ = true;
            return 0;
        }
        std::copy(samples.begin(), samples.end(),
                  staging_.begin() + static_cast<std::ptrdiff_t>(copied * config_.channels));
        if (const auto committed = snd_pcm_mmap_commit(pcm, frame_offset_, count); committed <= 0)
            return committed < 0 ? static_cast<int>(committed) : -EIO;
        copied += count;
    }
    return 0;
}

void Pcm::release()
{
    recoveries_ = 0;
    // When this fails the device has overrun meanwhile; the next wait() sees it.
    if (is_in_place_)
        snd_pcm_mmap_commit(handle_.get(), frame_offset_, config_.frame);
    frame_ = {};
}

} // namespace jkvm
