// SPDX-License-Identifier: LGPL-2.1-or-later
#include "http_request.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

namespace jkvm {

namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b)
{
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trim(std::string_view text)
{
    constexpr const char *space = " \t";
    const auto begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos)
        return {};
    return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

/// Removes the first line from `text` and returns it without its line end.
std::string_view take_line(std::string_view &text)
{
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    return line;
}

bool parse_request_line(std::string_view line, HttpRequest &request)
{
    const auto method_end = line.find(' ');
    const auto target_end = line.rfind(' ');
    if (method_end == std::string_view::npos || target_end == method_end)
        return false;
    const auto target = line.substr(method_end + 1, target_end - method_end - 1);
    const auto version = line.substr(target_end + 1);
    request.method = line.substr(0, method_end);
    request.path = target.substr(0, target.find('?'));
    request.is_http_1_0 = version == "HTTP/1.0";
    return request.path.starts_with('/') && version.starts_with("HTTP/1.");
}

} // namespace

std::optional<HttpRequest> parse_http_request(std::string_view head)
{
    HttpRequest request;
    if (!parse_request_line(take_line(head), request))
        return std::nullopt;
    while (!head.empty()) {
        const auto line = take_line(head);
        if (line.empty())
            break;
        const auto colon = line.find(':');
        if (colon == std::string_view::npos)
            return std::nullopt;
        if (!equals_ignoring_case(line.substr(0, colon), "Host"))
            continue;
        if (request.host)
            return std::nullopt;
        request.host = trim(line.substr(colon + 1));
    }
    return request;
}

bool is_loopback_host(std::string_view host)
{
    std::string name;
    if (host.starts_with('[')) {
        name = host.substr(1, host.find(']') - 1);
        in6_addr address{};
        return ::inet_pton(AF_INET6, name.c_str(), &address) == 1 &&
               IN6_IS_ADDR_LOOPBACK(&address) != 0;
    }
    name = host.substr(0, host.find(':'));
    in_addr address{};
    if (::inet_pton(AF_INET, name.c_str(), &address) == 1)
        return ntohl(address.s_addr) >> 24U == IN_LOOPBACKNET;
    return equals_ignoring_case(name, "localhost") || equals_ignoring_case(name, "localhost.");
}

} // namespace jkvm
