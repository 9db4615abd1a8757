// SPDX-License-Identifier: LGPL-2.1-or-later
// Serves metrics over HTTP.
#pragma once

#include "core/base/result.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>

namespace jkvm {

/// Serves them at http://ADDRESS/metrics, from threads of its own, to the end of its life.
/// `address`: ADDRESS:PORT, of this machine. Errors: `path_unusable`, with the reason.
Result<std::unique_ptr<prometheus::Exposer>> serve_metrics(
    const std::string &address, const std::shared_ptr<prometheus::Collectable> &metrics);

} // namespace jkvm
