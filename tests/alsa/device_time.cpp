// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/device_time.h"

#include "alsa/poll_alarm.h"
#include "core/base/unique_fd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>

namespace jkvm::testing {

DeviceTime::DeviceTime(const std::string &directory)
{
    const UniqueFd file{open((directory + "/" + simulated_time_file).c_str(), O_RDWR | O_CLOEXEC)};
    if (directory.empty() || !file)
        return;
    void *memory =
        mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory != MAP_FAILED) // NOLINT(performance-no-int-to-ptr): a macro of the C library
        simulated_ = static_cast<int64_t *>(memory);
}

DeviceTime::~DeviceTime()
{
    if (simulated_ != nullptr)
        munmap(simulated_, sizeof *simulated_);
}

int64_t DeviceTime::now() const
{
    return simulated_ != nullptr ? std::atomic_ref(*simulated_).load() : read_monotonic_clock();
}

void DeviceTime::advance(int64_t duration)
{
    if (simulated_ != nullptr)
        std::atomic_ref(*simulated_).fetch_add(duration);
}

} // namespace jkvm::testing
