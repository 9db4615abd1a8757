// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/error_output.h"

#include <poll.h>
#include <unistd.h>

namespace jkvm {

void ErrorOutput::append(std::string_view text)
{
    pollfd own_errors{STDERR_FILENO, POLLOUT, 0};
    // A write error cannot be reported anywhere: this is the error output.
    if (::poll(&own_errors, 1, 0) > 0 && (own_errors.revents & POLLOUT) != 0) [[maybe_unused]]
        const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    kept_ += text;
    if (kept_.size() > kept_bytes)
        kept_.erase(0, kept_.size() - kept_bytes);
}

std::string ErrorOutput::last_lines(std::size_t count) const
{
    const auto last = kept_.find_last_not_of('\n');
    const auto text = std::string_view(kept_).substr(0, last + 1); // npos + 1 is 0
    auto begin = text.size();
    for (; count > 0; --count) {
        begin = begin > 0 ? text.rfind('\n', begin - 1) : std::string_view::npos;
        if (begin == std::string_view::npos)
            return std::string(text);
    }
    return std::string(text.substr(begin + 1));
}

} // namespace jkvm
