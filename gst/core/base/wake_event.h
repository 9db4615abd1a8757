// SPDX-License-Identifier: LGPL-2.1-or-later
// An eventfd that ends another thread's poll() at once.
#pragma once

#include "core/base/unique_fd.h"

namespace jkvm {

/// set() and clear() may be called from any thread. Level-triggered: it stays set until cleared.
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
