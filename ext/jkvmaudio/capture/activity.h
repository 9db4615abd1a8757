// SPDX-License-Identifier: LGPL-2.1-or-later
// The activities of jkvmaudiosrc, and how long it was not heard.
#pragma once

#include "core/base/time.h"

namespace jkvm {

enum class Activity {
    encode,         ///< frames are encoded and pushed
    idle,           ///< the device is read, but no frame is encoded or pushed
    release_device, ///< no device is open
};

/// Adds up the time without Activity::encode.
class UnheardTime {
public:
    void on_changed(Activity activity, MonotonicTime now)
    {
        total_ = total(now);
        since_ = now;
        activity_ = activity;
    }
    [[nodiscard]] Activity activity() const { return activity_; }
    [[nodiscard]] nanoseconds total(MonotonicTime now) const
    {
        return activity_ == Activity::encode ? total_ : total_ + (now - since_);
    }

private:
    Activity activity_ = Activity::encode;
    MonotonicTime since_{};
    nanoseconds total_{0};
};

} // namespace jkvm
