// SPDX-License-Identifier: LGPL-2.1-or-later
// Parses HTTP requests for the metrics endpoint.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jkvm {

/// The parts of a request that the endpoint uses.
struct HttpRequest {
    std::string method; ///< "GET"
    std::string path;   ///< without the query
    bool is_http_1_0 = false;
    std::optional<std::string> host; ///< of the Host header, with the port if it has one
};

/// Parses the request line and headers, up to and including the empty line. Returns nothing if they
/// are malformed or the Host header occurs twice.
std::optional<HttpRequest> parse_http_request(std::string_view head);

/// Whether a Host header names this machine's loopback interface: localhost, 127.0.0.0/8 or [::1],
/// with or without a port.
bool is_loopback_host(std::string_view host);

} // namespace jkvm
