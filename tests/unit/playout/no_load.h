// SPDX-License-Identifier: LGPL-2.1-or-later
// A system load that cannot be determined.
#pragma once

#include "core/playout/system_load.h"

#include <optional>

namespace jkvm {

class NoLoad final : public SystemLoad {
public:
    std::optional<LoadSample> sample() override { return std::nullopt; }
};

} // namespace jkvm
