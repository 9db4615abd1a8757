// SPDX-License-Identifier: LGPL-2.1-or-later
// A minimal HTTP client for servers on this machine.
#pragma once

#include <string>

namespace jkvm::testing {

/// Requests http://127.0.0.1:PORT/PATH. Returns the body, or an empty string if the status is not
/// 200.
std::string http_get(int port, const std::string &path);

} // namespace jkvm::testing
