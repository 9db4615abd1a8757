// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/footprint.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace jkvm::testing {

namespace {

std::string proc(pid_t process, const std::string &file)
{
    return "/proc/" + std::to_string(process) + "/" + file;
}

} // namespace

std::size_t descriptors_of(pid_t process)
{
    const std::filesystem::directory_iterator entries(proc(process, "fd"));
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

long memory_of(pid_t process)
{
    std::ifstream status(proc(process, "status"));
    std::string word;
    while (status >> word && word != "RssAnon:") {
    }
    long kib = -1;
    status >> kib;
    return kib;
}

long cpu_time_of(pid_t process)
{
    std::ifstream stat(proc(process, "stat"));
    std::string text;
    std::getline(stat, text);
    // The second field, the name in parentheses, may contain spaces. The user and system times are
    // the fields 14 and 15.
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field)
        fields >> skipped;
    long user = 0;
    long system = 0;
    fields >> user >> system;
    return (user + system) * 1000 / ::sysconf(_SC_CLK_TCK);
}

} // namespace jkvm::testing
