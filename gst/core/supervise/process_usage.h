// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the processor time and memory of a process from /proc.
#pragma once

#include "core/base/time.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace jkvm {

struct ProcessUsage {
    double cpu_percent = 0; ///< since the last sample; 100 = one core continuously busy
    std::uint64_t rss = 0;  ///< resident memory, bytes
    std::uint64_t vms = 0;  ///< address space, bytes
};

/// Measures one process. The processor time of a sample is the time since the sample before.
class UsageMeter {
public:
    /// The units of /proc.
    struct Units {
        long ticks_per_second; ///< of processor time
        long page_size;        ///< bytes

        static Units of_this_system();
    };

    explicit UsageMeter(pid_t pid, const std::string &proc = "/proc",
                        Units units = Units::of_this_system());

    /// Returns nothing if the process has ended. The first sample has no processor time.
    std::optional<ProcessUsage> sample(MonotonicTime now);

private:
    struct Sample {
        MonotonicTime time;
        std::uint64_t ticks;
    };

    std::string path_;
    Units units_;
    std::optional<Sample> last_;
};

} // namespace jkvm
