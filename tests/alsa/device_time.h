// SPDX-License-Identifier: LGPL-2.1-or-later
// Provides the time of the test PCM: CLOCK_MONOTONIC, or a simulated clock that a test advances.
#pragma once

#include <cstdint>
#include <string>

namespace jkvm::testing {

/// Name of the file in a control directory that contains the simulated time: ns in 8 bytes, mapped
/// by the test and by the PCM.
inline constexpr const char *simulated_time_file = "time";

/// Reads the time. Not copyable: it owns the mapping of the file.
class DeviceTime {
public:
    /// Uses the simulated clock if `directory` contains one.
    explicit DeviceTime(const std::string &directory);
    ~DeviceTime();
    DeviceTime(const DeviceTime &) = delete;
    DeviceTime &operator=(const DeviceTime &) = delete;

    [[nodiscard]] bool is_simulated() const { return simulated_ != nullptr; }
    /// Time in ns.
    [[nodiscard]] int64_t now() const;
    /// Advances a simulated clock by `duration` ns. Called by tests.
    void advance(int64_t duration);

private:
    int64_t *simulated_ = nullptr; // in shared memory; accessed atomically
};

} // namespace jkvm::testing
