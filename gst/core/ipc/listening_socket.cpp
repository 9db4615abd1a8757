// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/listening_socket.h"

#include "core/ipc/socket_address.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

namespace jkvm {

namespace {

std::string lock_path(const std::string &path)
{
    return path + ".lock";
}

/// Whether `path` still names the file that `fd` has open.
bool same_file(const std::string &path, int fd)
{
    struct stat by_path {};
    struct stat by_fd {};
    return ::fstat(fd, &by_fd) == 0 && ::lstat(path.c_str(), &by_path) == 0 &&
           by_path.st_dev == by_fd.st_dev && by_path.st_ino == by_fd.st_ino;
}

Result<UniqueFd> take_lock(const std::string &path)
{
    const std::string name = lock_path(path);
    for (;;) {
        UniqueFd fd(
            ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
        if (!fd)
            return system_error(ErrorKind::path_unusable, path, "open of its lock file " + name,
                                errno);
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return Error{ErrorKind::path_busy, path, "another process holds " + name,
                             EWOULDBLOCK};
            return system_error(ErrorKind::path_unusable, path, "flock of " + name, errno);
        }
        // The holder before us may have removed the file between our open and our lock; then this
        // lock protects nothing and the next round makes a new file.
        if (same_file(name, fd.get()))
            return fd;
    }
}

/// Whether a live socket is bound to `path`, without disturbing it: a datagram socket cannot be
/// connected to a stream socket, and the kernel says ECONNREFUSED only when nobody is there.
bool has_live_server(const SocketAddress &address)
{
    const UniqueFd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return ::connect(probe.get(), address.get(), address.size()) == 0 || errno == EPROTOTYPE;
}

Status remove_stale_socket(const std::string &path, const SocketAddress &address)
{
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT)
            return Done{};
        return system_error(ErrorKind::path_unusable, path, "lstat", errno);
    }
    if (!S_ISSOCK(info.st_mode))
        return Error{ErrorKind::path_unusable, path,
                     "there is a file that is not a socket; it was left alone", EEXIST};
    if (has_live_server(address))
        return Error{ErrorKind::path_busy, path, "a server that takes no lock is bound to it",
                     EADDRINUSE};
    if (::unlink(path.c_str()) != 0)
        return system_error(ErrorKind::path_unusable, path, "unlink of the stale socket", errno);
    return Done{};
}

} // namespace

Result<ListeningSocket> ListeningSocket::open(const Config &config)
{
    const auto &path = config.path;
    auto address = SocketAddress::from_path(path);
    if (!address)
        return address.error();
    auto lock = take_lock(path);
    if (!lock)
        return lock.error();

    // From here on its destructor cleans up on every way out.
    ListeningSocket result(path, std::move(*lock));
    if (auto removed = remove_stale_socket(path, *address); !removed)
        return removed.error();

    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return system_error(ErrorKind::out_of_resources, path, "socket", errno);
    // Before bind, so that the file never exists with the rights that the umask alone would give.
    if (::fchmod(fd.get(), config.mode) != 0)
        return system_error(ErrorKind::path_unusable, path, "fchmod", errno);
    if (::bind(fd.get(), address->get(), address->size()) != 0)
        return system_error(ErrorKind::path_unusable, path, "bind", errno);
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) {
        result.device_ = info.st_dev;
        result.inode_ = info.st_ino;
    }
    if (::listen(fd.get(), config.backlog) != 0)
        return system_error(ErrorKind::path_unusable, path, "listen", errno);
    result.socket_ = std::move(fd);
    return result;
}

ListeningSocket::~ListeningSocket()
{
    if (!lock_)
        return; // moved from
    struct stat info {};
    if (inode_ != 0 && ::lstat(path_.c_str(), &info) == 0 && S_ISSOCK(info.st_mode) &&
        info.st_dev == device_ && info.st_ino == inode_)
        ::unlink(path_.c_str());
    // While the lock is held, so that nobody can lock a file that is about to go.
    const auto name = lock_path(path_);
    if (same_file(name, lock_.get()))
        ::unlink(name.c_str());
}

} // namespace jkvm
