// SPDX-License-Identifier: LGPL-2.1-or-later
// Connects to sockets for a test from a separate process.
#pragma once

#include "core/base/unique_fd.h"

#include <sys/types.h>

#include <string>

namespace jkvm::testing {

/// A forked process whose connections have its pid as their credentials. The test receives their
/// descriptors. The process runs for the lifetime of this object.
class ClientProcess {
public:
    ClientProcess();
    ClientProcess(const ClientProcess &) = delete;
    ClientProcess &operator=(const ClientProcess &) = delete;
    ~ClientProcess();

    /// A blocking stream socket connected to `path`; empty when that fails.
    UniqueFd connect(const std::string &path);
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    UniqueFd control_;
    pid_t pid_ = 0;
};

/// A listening stream socket bound to `path` by a process of another user; empty when that fails.
/// Needs root.
UniqueFd listen_as(uid_t uid, const std::string &path);
/// A stream socket connected to `path` by a process of another user; empty when that fails. Needs
/// root.
UniqueFd connect_as(uid_t uid, const std::string &path);

} // namespace jkvm::testing
