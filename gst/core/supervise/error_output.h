// SPDX-License-Identifier: LGPL-2.1-or-later
// Forwards a child's error output to that of this process, and keeps its last lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jkvm {

/// Text that cannot be written to this process's error output without blocking is kept, but not
/// forwarded. The calling thread must block SIGPIPE.
class ErrorOutput {
public:
    static constexpr std::size_t kept_lines = 10;
    /// In bytes. A pipe that is writable for poll() takes this much (PIPE_BUF) without blocking.
    static constexpr std::size_t kept_bytes = 4096;

    /// Forwards and keeps `text`, which is at most `kept_bytes` long.
    void append(std::string_view text);
    [[nodiscard]] std::string last_lines(std::size_t count = kept_lines) const;

private:
    std::string kept_;
};

} // namespace jkvm
