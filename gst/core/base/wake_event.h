// SPDX-License-Identifier: LGPL-2.1-or-later
// Wakes another thread from poll() through an eventfd.
#pragma once

#include "core/base/unique_fd.h"

namespace jkvm {

/// Level-triggered: stays set until it is cleared. All functions are thread-safe.
class WakeEvent {
public:
    WakeEvent();
    void set();
    void clear();
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    UniqueFd fd_;
};

} // namespace jkvm
