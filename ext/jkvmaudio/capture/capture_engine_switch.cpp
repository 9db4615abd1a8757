// SPDX-License-Identifier: LGPL-2.1-or-later
// The change from a running device to another one.
#include "capture/capture_engine.h"

#include "alsa/sound_cards.h"
#include "core/device/device_list.h"

namespace jkvm {

void CaptureEngine::set_devices(std::vector<std::string> devices)
{
    switch_.reset();
    if (!is_running())
        return session_.set_devices(std::move(devices), monotonic_now());
    session_.replace_list(std::move(devices));
    start_switch();
}

void CaptureEngine::start_switch()
{
    const auto cards = list_sound_cards();
    std::optional<Error> first;
    for (const auto &device : session_.preferred_devices()) {
        auto reader = open_reader(pcm_name(device, cards));
        const auto started = reader ? reader->start() : Status(reader.error());
        if (started) {
            switch_.emplace(std::move(*reader), device, monotonic_now());
            return;
        }
        if (started.error().kind == ErrorKind::device_busy &&
            are_on_one_card(pcm_name(device, cards), pcm_name(session_.device(), cards), cards))
            return session_.reopen(monotonic_now()); // the running device blocks it
        if (!first)
            first = started.error();
    }
    if (first)
        refuse(trouble_of(*first), *first);
}

void CaptureEngine::advance_switch(const WaitControl &control)
{
    const auto now = host_.now();
    switch (switch_->check(control, now.monotonic)) {
    case DeviceSwitch::Progress::starting:
        break;
    case DeviceSwitch::Progress::delivers:
        if (now.running - (now.monotonic - switch_->reader().captured()) - look_ahead_ <=
            timeline_.next())
            finish_switch(now.monotonic);
        break;
    case DeviceSwitch::Progress::has_failed:
        refuse(switch_->trouble(), switch_->error());
        switch_.reset();
    }
}

void CaptureEngine::finish_switch(MonotonicTime now)
{
    reader_ = std::move(switch_->reader());
    auto device = switch_->device();
    switch_.reset();
    session_.on_switched(std::move(device), now);
}

void CaptureEngine::refuse(DeviceTrouble trouble, const Error &error)
{
    host_.on_device_refused({.state = supervisor().state(),
                             .trouble = trouble,
                             .device = error.subject,
                             .detail = error.detail});
}

} // namespace jkvm
