// SPDX-License-Identifier: LGPL-2.1-or-later
// How busy the machine is: the processor and the memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace jkvm {

struct LoadSample {
    double cpu_percent;    ///< 0 .. 100
    double memory_percent; ///< 0 .. 100
};

class SystemLoad {
public:
    virtual ~SystemLoad() = default;
    /// The processor's part is since the last call. Nothing when it cannot be told, as at the first
    /// call.
    virtual std::optional<LoadSample> sample() = 0;

protected:
    SystemLoad() = default;
    SystemLoad(const SystemLoad &) = default;
    SystemLoad &operator=(const SystemLoad &) = default;
};

/// From /proc: the whole machine. Where this process has a control group (version 2) with limits of
/// its own, what is nearer to its limit counts: the machine or the group. Not those above it.
class ProcSystemLoad final : public SystemLoad {
public:
    /// `root` is put before every path; for tests.
    explicit ProcSystemLoad(const std::string &root = "");
    std::optional<LoadSample> sample() override;

private:
    struct Counters {
        double uptime;      // seconds
        double busy;        // of all processors, in ticks
        double total;       // the same, idle or not
        double group_usage; // processor time of the control group, in seconds
    };
    [[nodiscard]] std::optional<Counters> read_counters() const;
    [[nodiscard]] double cpu_percent(const Counters &before, const Counters &now) const;
    [[nodiscard]] std::optional<double> memory_percent() const;

    // Paths are put together once: sample() allocates nothing.
    std::string stat_, uptime_, meminfo_;
    std::string cpu_max_, cpu_stat_, memory_max_, memory_current_, memory_stat_;
    std::optional<Counters> last_;
};

} // namespace jkvm
