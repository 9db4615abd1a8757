// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/device_switch.h"

namespace jkvm {

DeviceSwitch::Progress DeviceSwitch::check(const WaitControl &control, MonotonicTime now)
{
    switch (reader_.wait(control, MonotonicTime{})) {
    case CapturePcm::Outcome::ready:
        return Progress::delivers;
    case CapturePcm::Outcome::failed:
        error_ = reader_.error();
        trouble_ = trouble_of(error_);
        return Progress::has_failed;
    default:
        break;
    }
    if (now < due_)
        return Progress::starting;
    trouble_ = DeviceTrouble::frozen;
    error_ = {ErrorKind::device_lost, device_, "the device delivers neither samples nor an error"};
    return Progress::has_failed;
}

} // namespace jkvm
