// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides whether an HTTP request was addressed to this server and made by its own page.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jkvm::browser {

/// Every website that the user opens can send requests to a server on the loopback interface. A
/// browser states in Origin which site made a request, and in Host the name that was resolved,
/// which a hostile name server can point at 127.0.0.1 (DNS rebinding).
class RequestGuard {
public:
    /// For a server that listens on the loopback interface.
    explicit RequestGuard(unsigned port);

    /// Returns true if a request with these headers may be served. Programs other than browsers
    /// send no Origin.
    [[nodiscard]] bool is_allowed(std::optional<std::string_view> host,
                                  std::optional<std::string_view> origin) const;

private:
    std::vector<std::string> hosts_;
};

} // namespace jkvm::browser
