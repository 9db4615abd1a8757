// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/device_session.h"

#include "alsa/alsa_log.h"
#include "alsa/sound_cards.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#define GST_CAT_DEFAULT alsa_debug_category()

namespace jkvm {

DeviceTrouble trouble_of(const Error &error)
{
    switch (error.kind) {
    case ErrorKind::device_busy:
        return DeviceTrouble::busy;
    case ErrorKind::device_forbidden:
        return DeviceTrouble::forbidden;
    case ErrorKind::device_unsupported:
        return DeviceTrouble::unsupported;
    case ErrorKind::device_lost:
        break;
    default:
        return DeviceTrouble::missing;
    }
    switch (error.errno_value) {
    case ENODEV:
        return DeviceTrouble::unplugged;
    case EBADFD:
        return DeviceTrouble::rate_changed;
    default:
        return DeviceTrouble::io_error;
    }
}

DeviceSupervisor DeviceSession::make_supervisor()
{
    return DeviceSupervisor(static_cast<std::uint32_t>(monotonic_now().time_since_epoch().count()));
}

DeviceSession::DeviceSession(std::vector<std::string> devices, Stream &stream)
    : devices_(std::move(devices)), stream_(stream), supervisor_(make_supervisor())
{}

Error DeviceSession::take_failure()
{
    auto failure = std::move(*failure_);
    failure_.reset();
    return failure;
}

Status DeviceSession::open(MonotonicTime now)
{
    const auto cards = list_sound_cards();
    std::optional<Error> first;
    for (const auto &device : devices_) {
        const auto opened = stream_.open_stream(pcm_name(device, cards));
        if (opened) {
            device_ = device;
            stage_ = Stage::open;
            if (!start_device(now))
                return error_;
            return Done{};
        }
        if (!first)
            first = opened.error();
    }
    error_ = first.value_or(Error{ErrorKind::device_missing, {}, "the property device is empty"});
    const auto trouble = trouble_of(error_);
    const bool is_new =
        supervisor_.state() != DeviceState::lost && supervisor_.trouble() != trouble;
    supervisor_.on_failed(trouble, now);
    failure_ = error_;
    if (is_new)
        report();
    return error_;
}

bool DeviceSession::start_device(MonotonicTime now)
{
    // Before start() no caller reads or writes samples.
    if (is_started_) {
        if (const auto started = stream_.start_stream(); !started) {
            lose(started.error());
            return false;
        }
    }
    on_opened(now);
    return true;
}

void DeviceSession::on_opened(MonotonicTime now)
{
    GST_INFO("%s is open", device_.c_str());
    supervisor_.on_opened(now);
    stream_.on_stream_opened();
    report();
}

bool DeviceSession::retry(MonotonicTime now)
{
    if (!supervisor_.is_open_due(now))
        return false;
    if (stage_ == Stage::suspended)
        resume(now);
    else
        (void)open(now); // take_failure() has the error
    return true;
}

void DeviceSession::resume(MonotonicTime now)
{
    switch (stream_.resume_stream()) {
    case AlsaDevice::Resumed::running:
        stage_ = Stage::open;
        on_opened(now);
        break;
    case AlsaDevice::Resumed::not_yet:
        supervisor_.on_failed(DeviceTrouble::suspended, now);
        failure_ = error_;
        break;
    case AlsaDevice::Resumed::failed:
        lose(DeviceTrouble::suspended, "the device does not resume");
    }
}

void DeviceSession::set_devices(std::vector<std::string> devices, MonotonicTime now)
{
    devices_ = std::move(devices);
    if (supervisor_.is_open() && !devices_.empty() && devices_.front() == device_)
        return;
    if (is_released())
        return;
    close();
    // The state of the old device says nothing about the new ones.
    supervisor_ = make_supervisor();
    (void)open(now); // take_failure() has the error
}

std::span<const std::string> DeviceSession::preferred_devices() const
{
    const auto open = std::ranges::find(devices_, device_);
    return std::span(devices_).first(static_cast<std::size_t>(open - devices_.begin()));
}

void DeviceSession::on_switched(std::string device, MonotonicTime now)
{
    device_ = std::move(device);
    stage_ = Stage::open;
    supervisor_ = make_supervisor();
    on_opened(now);
}

void DeviceSession::release()
{
    close();
    failure_.reset();
    supervisor_.on_released();
    report();
}

void DeviceSession::reclaim(MonotonicTime now)
{
    supervisor_ = make_supervisor();
    (void)open(now); // take_failure() has the error
}

void DeviceSession::close()
{
    if (stage_ != Stage::closed)
        stream_.close_stream();
    stage_ = Stage::closed;
}

void DeviceSession::reopen(MonotonicTime now)
{
    stream_.close_stream();
    stage_ = Stage::closed;
    (void)open(now); // take_failure() has the error
}

void DeviceSession::start()
{
    is_started_ = true;
    if (stage_ == Stage::closed)
        return;
    stage_ = Stage::open;
    stream_.stop_stream();
    if (const auto started = stream_.start_stream(); !started)
        lose(started.error());
    else
        supervisor_.on_opened(monotonic_now());
}

void DeviceSession::pause()
{
    is_started_ = false;
    if (stage_ != Stage::closed)
        stream_.stop_stream();
}

void DeviceSession::report()
{
    const bool is_blocked = supervisor_.state() == DeviceState::blocked;
    const bool is_wanted = supervisor_.is_open() || is_released();
    stream_.on_device_changed({.state = supervisor_.state(),
                               .trouble = supervisor_.trouble(),
                               .device = is_wanted ? device_ : error_.subject,
                               .detail = is_wanted && !is_blocked ? std::string() : error_.detail});
}

void DeviceSession::lose(DeviceTrouble trouble, const char *reason)
{
    lose(trouble, Error{ErrorKind::device_lost, device_, reason});
}

void DeviceSession::lose(const Error &error)
{
    lose(trouble_of(error), error);
}

void DeviceSession::lose(DeviceTrouble trouble, const Error &error)
{
    const bool is_new = supervisor_.state() == DeviceState::run || supervisor_.trouble() != trouble;
    GST_DEBUG("closing %s (%s): %s", device_.c_str(), name_of(trouble), error.detail.c_str());
    error_ = error;
    failure_ = error;
    stream_.close_stream();
    stage_ = Stage::closed;
    supervisor_.on_failed(trouble, monotonic_now());
    if (is_new)
        report();
}

void DeviceSession::block()
{
    error_ = {ErrorKind::device_lost, device_, "the device reports no error but does not play"};
    supervisor_.on_blocked();
    report();
}

void DeviceSession::suspend()
{
    stage_ = Stage::suspended;
    error_ = {ErrorKind::device_lost, device_, "the machine was suspended"};
    supervisor_.on_failed(DeviceTrouble::suspended, monotonic_now());
    report();
}

} // namespace jkvm
