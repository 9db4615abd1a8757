// SPDX-License-Identifier: LGPL-2.1-or-later
// Asks a server on this machine for a page.
#pragma once

#include <string>

namespace jkvm::testing {

/// GET http://127.0.0.1:PORT/PATH; the body, or nothing when the answer is not "200 OK".
std::string http_get(int port, const std::string &path);

} // namespace jkvm::testing
