// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/process_usage.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

namespace jkvm {

namespace {

/// Fields of /proc/PID/stat, with their numbers in proc(5).
struct Stat {
    std::uint64_t user_ticks = 0;   // 14
    std::uint64_t system_ticks = 0; // 15
    std::uint64_t vms = 0;          // 23, bytes
    std::uint64_t rss = 0;          // 24, pages
};

std::optional<Stat> read_stat(const std::string &path)
{
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    // The second field is the program's name in parentheses, which may contain any character.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos)
        return std::nullopt;
    std::istringstream rest(line.substr(name_end + 1));
    Stat stat;
    std::string skipped;
    for (int field = 3; field <= 24 && rest; ++field) {
        switch (field) {
        case 14:
            rest >> stat.user_ticks;
            break;
        case 15:
            rest >> stat.system_ticks;
            break;
        case 23:
            rest >> stat.vms;
            break;
        case 24:
            rest >> stat.rss;
            break;
        default:
            rest >> skipped;
        }
    }
    if (!rest)
        return std::nullopt;
    return stat;
}

} // namespace

UsageMeter::Units UsageMeter::Units::of_this_system()
{
    return {::sysconf(_SC_CLK_TCK), ::sysconf(_SC_PAGESIZE)};
}

UsageMeter::UsageMeter(pid_t pid, const std::string &proc, Units units)
    : path_(proc + "/" + std::to_string(pid) + "/stat"), units_(units)
{}

std::optional<ProcessUsage> UsageMeter::sample(MonotonicTime now)
{
    const auto stat = read_stat(path_);
    if (!stat)
        return std::nullopt;
    ProcessUsage usage{.rss = stat->rss * static_cast<std::uint64_t>(units_.page_size),
                       .vms = stat->vms};
    const Sample current{now, stat->user_ticks + stat->system_ticks};
    if (last_ && now > last_->time) {
        const auto busy = static_cast<double>(current.ticks - last_->ticks) /
                          static_cast<double>(units_.ticks_per_second);
        const auto elapsed = std::chrono::duration<double>(now - last_->time).count();
        usage.cpu_percent = 100 * busy / elapsed;
    }
    last_ = current;
    return usage;
}

} // namespace jkvm
