// SPDX-License-Identifier: LGPL-2.1-or-later
// Processor and memory load of the machine.
#pragma once

#include "core/base/guarded.h"
#include "core/base/time.h"

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
    /// The processor load is that since the last call. Empty if it cannot be determined, as in the
    /// first call.
    virtual std::optional<LoadSample> sample() = 0;

protected:
    SystemLoad() = default;
    SystemLoad(const SystemLoad &) = default;
    SystemLoad &operator=(const SystemLoad &) = default;
};

/// Reads /proc for the whole machine. If this process's control group (version 2) has limits of its
/// own, reports whichever is closer to its limit: the machine or the group. Parent groups are not
/// considered.
class ProcSystemLoad final : public SystemLoad {
public:
    /// `root` is prepended to every path; for tests.
    explicit ProcSystemLoad(const std::string &root = "");
    std::optional<LoadSample> sample() override;

private:
    struct Counters {
        double uptime;      // seconds
        double busy;        // of all processors, in ticks
        double total;       // of all processors, in ticks, idle time included
        double group_usage; // processor time of the control group, in seconds
    };
    [[nodiscard]] std::optional<Counters> read_counters() const;
    [[nodiscard]] double cpu_percent(const Counters &before, const Counters &now) const;
    [[nodiscard]] std::optional<double> memory_percent() const;

    // The paths are composed once, so that sample() does not allocate.
    std::string stat_, uptime_, meminfo_;
    std::string cpu_max_, cpu_stat_, memory_max_, memory_current_, memory_stat_;
    std::optional<Counters> last_;
};

/// Separates measurements, which read files, from their use by the weighted policy, which holds the
/// queue's mutex. Thread-safe.
class LoadGauge final : public SystemLoad {
public:
    /// Minimum interval between two measurements. A shorter one is too coarse, because the kernel
    /// counts processor time in ticks of 4 or 10 ms.
    static constexpr nanoseconds interval = std::chrono::milliseconds(250);

    /// `load` is borrowed.
    explicit LoadGauge(SystemLoad &load) : source_(Source{&load}) {}

    /// Starts a measurement of the processor load.
    void restart();
    /// The load since the previous measurement; the result of that one if it is more recent than
    /// `interval`.
    std::optional<LoadSample> measure(MonotonicTime now = monotonic_now());
    /// The result of the last measurement. Does not wait for one.
    std::optional<LoadSample> sample() override { return last_.snapshot(); }

private:
    struct Source {
        SystemLoad *load;
        MonotonicTime measured = {}; // the last time
    };
    Guarded<Source> source_; // locked during a measurement, before last_
    Guarded<std::optional<LoadSample>> last_;
};

} // namespace jkvm
