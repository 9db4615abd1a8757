// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be set on the supervised bins.
#pragma once

#include "core/supervise/supervisor.h"

#include <gst/gst.h>

namespace jkvm {

/// What becomes of the pipeline when the limit of restarts is reached.
enum class OnFailure { error, silence };

struct SupervisorSettings {
    /// The id of the element's first property that is no setting.
    static constexpr guint own = 9;

    std::string launch;
    RestartLimits limits;
    nanoseconds hang_timeout = Supervisor::Config().hang_timeout;
    nanoseconds stop_timeout = Supervisor::Config().stop_timeout;
    OnFailure on_failure = OnFailure::error;

    static void install(GObjectClass *klass);
    /// False: not one of these properties.
    bool set(guint id, const GValue *value);
    bool get(guint id, GValue *value) const;
};

} // namespace jkvm
