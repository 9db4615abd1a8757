// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/child_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <system_error>

namespace jkvm::testing {

ChildProcess::ChildProcess(const std::function<int()> &work) : pid_(::fork())
{
    if (pid_ < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ > 0)
        return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(work());
}

ChildProcess::~ChildProcess()
{
    if (pid_ > 0)
        kill();
}

void ChildProcess::kill()
{
    ::kill(pid_, SIGKILL);
    wait();
}

int ChildProcess::wait()
{
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace jkvm::testing
