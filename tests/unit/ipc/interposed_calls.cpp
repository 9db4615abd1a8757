// SPDX-License-Identifier: LGPL-2.1-or-later
#include "unit/ipc/interposed_calls.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace jkvm::testing {

mode_t mode_before_chmod = 0;
std::optional<std::size_t> limit_of_next_sendmsg;

} // namespace jkvm::testing

// The linker finds these before those of the C library.

extern "C" int chmod(const char *file, mode_t mode) noexcept
{
    struct stat info {};
    if (::lstat(file, &info) == 0)
        jkvm::testing::mode_before_chmod = info.st_mode & 07777;
    return static_cast<int>(::syscall(SYS_fchmodat, AT_FDCWD, file, mode));
}

extern "C" ssize_t sendmsg(int fd, const msghdr *message, int flags)
{
    if (const auto limit = std::exchange(jkvm::testing::limit_of_next_sendmsg, std::nullopt)) {
        iovec part{message->msg_iov[0].iov_base, std::min(*limit, message->msg_iov[0].iov_len)};
        msghdr limited = *message;
        limited.msg_iov = &part;
        limited.msg_iovlen = 1;
        return ::syscall(SYS_sendmsg, fd, &limited, flags);
    }
    return ::syscall(SYS_sendmsg, fd, message, flags);
}
