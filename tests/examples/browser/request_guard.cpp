// SPDX-License-Identifier: LGPL-2.1-or-later
#include "request_guard.h"

#include <algorithm>
#include <cctype>

namespace jkvm::browser {

namespace {

constexpr unsigned default_http_port = 80;

std::string lower_case(std::string_view text)
{
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

} // namespace

RequestGuard::RequestGuard(unsigned port)
{
    for (const std::string name : {"127.0.0.1", "localhost", "[::1]"}) {
        hosts_.push_back(name + ":" + std::to_string(port));
        if (port == default_http_port)
            hosts_.push_back(name);
    }
}

bool RequestGuard::is_allowed(std::optional<std::string_view> host,
                              std::optional<std::string_view> origin) const
{
    const auto is_own_host = [this](std::string_view name) {
        return std::find(hosts_.begin(), hosts_.end(), lower_case(name)) != hosts_.end();
    };
    if (!host || !is_own_host(*host))
        return false;
    constexpr std::string_view scheme = "http://";
    return !origin ||
           (lower_case(*origin).starts_with(scheme) && is_own_host(origin->substr(scheme.size())));
}

} // namespace jkvm::browser
