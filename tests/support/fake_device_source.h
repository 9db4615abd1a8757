// SPDX-License-Identifier: LGPL-2.1-or-later
// Simulates audio devices that are plugged in and out.
#pragma once

#include "core/base/guarded.h"
#include "core/device/device_monitor.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace jkvm::testing {

/// Thread-safe.
class FakeDeviceSource final : public DeviceSource {
public:
    /// Those of every device.
    static inline const DeviceFormats formats{{"S16_LE", "S24_3LE"}, {44100, 48000}, 1, 2};

    void plug_in(AudioDevice device)
    {
        devices_.lock()->push_back(std::move(device));
        changed_.set();
    }
    void unplug(const std::string &id)
    {
        std::erase_if(*devices_.lock(), [&](const auto &device) { return device.id == id; });
        changed_.set();
    }
    /// A busy device cannot be queried for its formats.
    void set_busy(bool is_busy) { is_busy_ = is_busy; }
    /// Number of calls of query_formats().
    [[nodiscard]] unsigned queries() const { return queries_; }

    std::vector<AudioDevice> list() override { return devices_.snapshot(); }
    std::optional<DeviceFormats> query_formats(const AudioDevice & /*device*/) override
    {
        ++queries_;
        return is_busy_ ? std::nullopt : std::optional(formats);
    }
    [[nodiscard]] int fd() const override { return changed_.fd(); }
    void take_changes() override { changed_.clear(); }

private:
    Guarded<std::vector<AudioDevice>> devices_;
    WakeEvent changed_;
    std::atomic<bool> is_busy_{false};
    std::atomic<unsigned> queries_{0};
};

} // namespace jkvm::testing
