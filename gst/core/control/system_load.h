// SPDX-License-Identifier: LGPL-2.1-or-later
// How busy the machine is: the processor and the memory.
#pragma once

#include "core/base/time.h"

#include <optional>

namespace jkvm {

struct LoadSample {
    double cpu_percent;    ///< 0 .. 100, of what this process may use at most
    double memory_percent; ///< 0 .. 100, the same
};

class SystemLoad {
public:
    virtual ~SystemLoad() = default;
    /// Since the last call. Nothing when it cannot be told, as at the first call.
    virtual std::optional<LoadSample> sample() = 0;

protected:
    SystemLoad() = default;
    SystemLoad(const SystemLoad &) = default;
    SystemLoad &operator=(const SystemLoad &) = default;
};

} // namespace jkvm
