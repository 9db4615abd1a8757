// SPDX-License-Identifier: LGPL-2.1-or-later
#include "printed_stats.h"

#include <gtest/gtest.h>

namespace jkvm::testing {

std::uint64_t last_counter(Program &program, const std::string &field, const std::string &stats)
{
    const auto &output = program.output();
    const auto message = output.rfind(stats);
    // Only a part of the message may have been read.
    while (output.find('\n', message) == std::string::npos &&
           program.wait_for_output("\n", program.occurrences("\n") + 1)) {
    }
    const auto key = " " + field + "=(guint64)";
    const auto at = output.find(key, message);
    EXPECT_NE(at, std::string::npos) << field << " in " << output;
    return at != std::string::npos ? std::stoull(output.substr(at + key.size())) : UINT64_MAX;
}

void wait_for_reports(Program &program, int count, const std::string &stats)
{
    ASSERT_TRUE(program.wait_for_output(stats, program.occurrences(stats) + count))
        << program.output();
}

} // namespace jkvm::testing
