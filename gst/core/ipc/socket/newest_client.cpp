// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/newest_client.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace jkvm {

ProcessIdentity identify_process(pid_t pid)
{
    ProcessIdentity process{.pid = pid};
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line))
        return process;
    // proc(5): the name in parentheses may contain spaces; the start time is the 20th field after.
    const auto end_of_name = line.rfind(')');
    if (end_of_name == std::string::npos)
        return process;
    std::istringstream fields(line.substr(end_of_name + 1));
    std::string skipped;
    for (int i = 0; i < 19; ++i)
        fields >> skipped;
    fields >> process.start_time;
    return process;
}

bool NewestClient::admit(const ProcessIdentity &process)
{
    if (std::ranges::find(displaced_, process) != displaced_.end())
        return false;
    if (served_ && *served_ != process) {
        if (displaced_.size() >= max_displaced)
            displaced_.erase(displaced_.begin());
        displaced_.push_back(*served_);
    }
    served_ = process;
    return true;
}

void NewestClient::on_disconnected()
{
    served_.reset();
    displaced_.clear();
}

} // namespace jkvm
