// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/wake_event.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

namespace jkvm {

WakeEvent::WakeEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

// EAGAIN means that the event already has the requested state.

void WakeEvent::set()
{
    const std::uint64_t one = 1;
    while (::write(fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void WakeEvent::clear()
{
    std::uint64_t count = 0;
    while (::read(fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {
    }
}

} // namespace jkvm
