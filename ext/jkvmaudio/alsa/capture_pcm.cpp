// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/capture_pcm.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A reading of the position that took longer was interrupted, and is repeated a few times.
constexpr nanoseconds max_reading_time = 500us;
constexpr int max_repeats = 3;

} // namespace

nanoseconds CapturePcm::to_time(std::size_t samples) const
{
    constexpr double second = 1e9; // ns
    return nanoseconds(static_cast<std::int64_t>(static_cast<double>(samples) * second / rate_));
}

Result<CapturePcm> CapturePcm::open(const AlsaDevice::Config &config)
{
    auto device = AlsaDevice::open(AlsaDevice::Direction::capture, config);
    if (!device)
        return device.error();
    return CapturePcm(std::move(*device));
}

void CapturePcm::restart_count()
{
    measured_at_.reset();
    consumed_ = 0;
    rate_check_.restart();
}

Status CapturePcm::start()
{
    restart_count();
    return device_.start();
}

AlsaDevice::Resumed CapturePcm::resume()
{
    restart_count();
    return device_.resume();
}

CapturePcm::Outcome CapturePcm::recover(int code)
{
    restart_count();
    switch (device_.recover(code)) {
    case AlsaDevice::Recovery::restarted:
        return Outcome::overrun;
    case AlsaDevice::Recovery::suspended:
        return Outcome::suspended;
    default:
        return Outcome::failed;
    }
}

void CapturePcm::check_rate(snd_pcm_sframes_t available, MonotonicTime now, MonotonicTime due)
{
    const auto position = consumed_ + static_cast<std::uint64_t>(std::max(0L, available));
    const auto event = rate_check_.observe(position, now, now - due);
    if (event != RateCheck::Event::none)
        rate_event_ = event;
}

void CapturePcm::measure_age(snd_pcm_sframes_t available, snd_pcm_sframes_t delay,
                             MonotonicTime now)
{
    available_ = unread_ = static_cast<std::size_t>(available);
    // Samples that the hardware holds beyond the ring.
    const auto beyond = std::max<snd_pcm_sframes_t>(0, delay - available);
    auto unread = static_cast<snd_pcm_uframes_t>(available + beyond);
    measured_at_ = now;
    nanoseconds stamp_age{0};
    snd_pcm_uframes_t at_stamp = 0;
    snd_htimestamp_t stamp{};
    if (driver_timestamps_.are_used() &&
        snd_pcm_htimestamp(device_.handle(), &at_stamp, &stamp) >= 0) {
        const MonotonicTime time{std::chrono::seconds(stamp.tv_sec) + nanoseconds(stamp.tv_nsec)};
        stamp_age = driver_timestamps_.age(time, now);
        if (stamp_age > 0ns)
            unread = at_stamp + static_cast<snd_pcm_uframes_t>(beyond);
    }
    captured_ = now - stamp_age - to_time(unread);
}

MonotonicTime CapturePcm::complete_at(std::size_t samples) const
{
    // A device that counts whole periods has more samples than it reports.
    if (!measured_at_ || unread_ >= samples || format().is_coarse)
        return MonotonicTime::min();
    // No margin: most sleeps end a little late anyway.
    return *measured_at_ + to_time(samples - unread_);
}

CapturePcm::Outcome CapturePcm::wait(const WaitControl &control, std::size_t samples,
                                     MonotonicTime deadline)
{
    if (const int code = std::exchange(peek_error_, 0); code < 0)
        return recover(code);
    // After a frame the time of the next one is known. Until then the thread only sleeps and does
    // not poll the device, so an unplugged or overrun device is detected that much later.
    const auto planned = std::min(complete_at(samples), deadline);
    auto due = std::max(planned, monotonic_now());
    control.sleep_until(planned);
    // The device wakes the thread at the end of a period, which need not be the end of the samples
    // requested. So the position is polled when they should be complete, then at growing intervals.
    auto pause = 0ns;
    int repeats = 0;
    for (;;) {
        if (control.is_set())
            return Outcome::interrupted;
        snd_pcm_sframes_t available = 0;
        snd_pcm_sframes_t delay = 0;
        const auto before = monotonic_now();
        if (const int code = snd_pcm_avail_delay(device_.handle(), &available, &delay); code < 0)
            return recover(code);
        const auto now = monotonic_now();
        if (available >= static_cast<snd_pcm_sframes_t>(samples)) {
            // A clock read long after the position would make the samples appear younger.
            if (now - before > max_reading_time && ++repeats <= max_repeats)
                continue;
            check_rate(available, now, due);
            measure_age(available, delay, now);
            return Outcome::ready;
        }
        if (now >= deadline)
            return Outcome::timed_out;
        if (now - before <= max_reading_time)
            check_rate(available, now, due);
        const auto missing = samples - static_cast<std::size_t>(std::max(0L, available));
        pause =
            pause == 0ns ? to_time(missing) + 50us : std::clamp<nanoseconds>(2 * pause, 1ms, 1s);
        const auto timeout = std::min<nanoseconds>(deadline - now, pause);
        due = now + timeout;
        device_.poll(control, timeout);
    }
}

std::span<const std::byte> CapturePcm::peek(std::size_t samples)
{
    const snd_pcm_channel_area_t *areas = nullptr;
    snd_pcm_uframes_t count = samples;
    const int code = snd_pcm_mmap_begin(device_.handle(), &areas, &offset_, &count);
    if (code < 0) {
        peek_error_ = code;
        return {};
    }
    // Interleaved: the start and step of the first area (bits) describe all channels.
    return {static_cast<const std::byte *>(areas[0].addr) +
                (areas[0].first + offset_ * areas[0].step) / 8,
            count * bytes_per_sample()};
}

void CapturePcm::commit(std::size_t samples)
{
    device_.on_transfer();
    consumed_ += samples;
    unread_ -= std::min(unread_, samples);
    // Fails only after an overrun, which the next wait() reports.
    snd_pcm_mmap_commit(device_.handle(), offset_, samples);
}

} // namespace jkvm
