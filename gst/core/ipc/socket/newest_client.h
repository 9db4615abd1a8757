// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides which client a listening end serves if it serves only the newest one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace jkvm {

/// A process. Process ids are reused, so the start time is part of the identity.
struct ProcessIdentity {
    pid_t pid = 0;                ///< 0: in another pid namespace, hence not known
    std::uint64_t start_time = 0; ///< clock ticks since boot; 0 = not known

    bool operator==(const ProcessIdentity &) const = default;
};

/// Never fails: a value that cannot be determined is 0.
ProcessIdentity identify_process(pid_t pid);

/// The newest process is served until it disconnects. A process that it displaced is turned away
/// until then: two clients that reconnect automatically would otherwise displace each other
/// endlessly. A process always replaces its own earlier connection.
class NewestClient {
public:
    /// Whether to serve the process's new connection, in place of the current one.
    bool admit(const ProcessIdentity &process);
    /// The connection of the served process ended. All processes may connect again.
    void on_disconnected();

private:
    static constexpr std::size_t max_displaced = 64;

    std::optional<ProcessIdentity> served_;
    std::vector<ProcessIdentity> displaced_; // the newest max_displaced, oldest first
};

} // namespace jkvm
