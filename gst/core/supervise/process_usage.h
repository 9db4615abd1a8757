// SPDX-License-Identifier: LGPL-2.1-or-later
// What a process takes of the machine, from /proc.
#pragma once

#include "core/base/time.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace jkvm {

struct ProcessUsage {
    double cpu_percent = 0; ///< since the last sample; 100 = one core all of the time
    std::uint64_t rss = 0;  ///< bytes of memory that it has
    std::uint64_t vms = 0;  ///< bytes of address space
};

/// Measures one process. To be asked regularly: the processor time is that between two samples.
class UsageMeter {
public:
    /// How the kernel counts; a test has numbers of its own.
    struct Units {
        long ticks_per_second; ///< of processor time
        long page_size;        ///< bytes

        static Units of_this_system();
    };

    explicit UsageMeter(pid_t pid, const std::string &proc = "/proc",
                        Units units = Units::of_this_system());

    /// Nothing when the process is gone. The first sample has no processor time.
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
