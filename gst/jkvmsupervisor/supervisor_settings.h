// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of the supervised bins.
#pragma once

#include "common/property_table.h"
#include "core/supervise/supervisor.h"

namespace jkvm {

/// Action of the bin when the limit of restarts is reached.
enum class OnFailure { error, silence };

struct SupervisorSettings {
    std::string launch;
    RestartLimits limits;
    nanoseconds hang_timeout = Supervisor::Config().hang_timeout;
    nanoseconds stop_timeout = Supervisor::Config().stop_timeout;
    OnFailure on_failure = OnFailure::error;
};

const PropertyTable<SupervisorSettings> &supervisor_properties();

} // namespace jkvm
