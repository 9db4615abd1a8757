// SPDX-License-Identifier: LGPL-2.1-or-later
// What a child says on its error output.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jkvm {

/// Passes it on to the error output of this process, and keeps the end of it. Never waits for who
/// reads ours: what cannot be passed on at once is not. The caller's thread blocks SIGPIPE.
class ErrorOutput {
public:
    static constexpr std::size_t kept_lines = 10;
    /// In bytes. A pipe that has room at all takes as much at once.
    static constexpr std::size_t kept_bytes = 4096;

    /// At most `kept_bytes` at a time.
    void take(std::string_view text);
    [[nodiscard]] std::string last_lines(std::size_t count = kept_lines) const;

private:
    std::string kept_;
};

} // namespace jkvm
