// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line and environment of a worker.
#pragma once

#include "core/base/time.h"
#include "core/supervise/child_process.h"

#include <string>

namespace jkvm {

/// Returns the path of the program jkvm-worker: that of the environment variable JKVM_WORKER, or in
/// the directory for helper programs or, if it is not there, in the plugin's directory.
std::string worker_program();

/// `side`: "source" for a worker that sends its output to `socket`, "sink" for one that receives
/// from it. `hang_timeout`: time without a heartbeat after which the worker is killed; 0 = never.
ChildCommand make_worker_command(const char *side, const std::string &socket,
                                 const std::string &launch, nanoseconds hang_timeout);

} // namespace jkvm
