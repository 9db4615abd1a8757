// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a second capture device beside the one in use, until it can take over.
#pragma once

#include "alsa/device_session.h"
#include "capture/capture_frame_reader.h"

#include <string>

namespace jkvm {

/// Thread-bound.
class DeviceSwitch {
public:
    /// Time that the new device has until its first frame.
    static constexpr nanoseconds start_timeout = std::chrono::seconds(1);

    enum class Progress {
        starting,  ///< the new device has not captured a frame yet
        delivers,  ///< reader() has a frame
        has_failed ///< trouble() and error() have the reason
    };

    /// `reader`: started. `device`: its name, as users name it.
    DeviceSwitch(CaptureFrameReader reader, std::string device, MonotonicTime now)
        : reader_(std::move(reader)), device_(std::move(device)), due_(now + start_timeout)
    {}

    /// Checks the new device. Does not block.
    Progress check(const WaitControl &control, MonotonicTime now);
    [[nodiscard]] CaptureFrameReader &reader() { return reader_; }
    [[nodiscard]] const std::string &device() const { return device_; }
    [[nodiscard]] DeviceTrouble trouble() const { return trouble_; }
    [[nodiscard]] const Error &error() const { return error_; }

private:
    CaptureFrameReader reader_;
    std::string device_;
    MonotonicTime due_;
    DeviceTrouble trouble_ = DeviceTrouble::none;
    Error error_{ErrorKind::device_lost, {}, {}};
};

} // namespace jkvm
