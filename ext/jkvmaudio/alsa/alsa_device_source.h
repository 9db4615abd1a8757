// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the ALSA devices of the machine's sound cards and notices those that are plugged in and
// out.
#pragma once

#include "core/device/device_monitor.h"
#include "core/device/directory_watch.h"

namespace jkvm {

class AlsaDeviceSource final : public DeviceSource {
public:
    std::vector<AudioDevice> list() override;
    /// Does not wait for a device that is in use.
    std::optional<DeviceFormats> query_formats(const AudioDevice &device) override;
    [[nodiscard]] int fd() const override { return nodes_.fd(); }
    void take_changes() override { nodes_.take_changes(); }

private:
    DirectoryWatch nodes_{"/dev/snd"};
};

} // namespace jkvm
