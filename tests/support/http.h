// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements a minimal HTTP client for servers on this machine.
#pragma once

#include "core/base/unique_fd.h"

#include <string>

namespace jkvm::testing {

/// Connects to 127.0.0.1:PORT. Returns an empty descriptor on an error.
UniqueFd http_connect(int port);
/// Returns false if not all of the text could be sent.
bool http_send(int fd, const std::string &text);
/// Returns all data up to the end of the connection.
std::string http_receive(int fd);

/// Requests http://127.0.0.1:PORT/PATH. Returns the body, or an empty string if the status is not
/// 200.
std::string http_get(int port, const std::string &path);

} // namespace jkvm::testing
