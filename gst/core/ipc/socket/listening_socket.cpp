// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/listening_socket.h"

#include "core/ipc/socket/socket_address.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

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

/// In a shared directory another user's lock file blocks the path, even if no process holds it.
Error describe_lock_failure(const std::string &path, const std::string &name, int errno_value)
{
    struct stat info {};
    if (errno_value == EACCES && ::lstat(name.c_str(), &info) == 0 && info.st_uid != ::geteuid())
        return {ErrorKind::path_unusable, path,
                "its lock file " + name + " belongs to uid " + std::to_string(info.st_uid) +
                    "; use a directory to which only this user can write",
                errno_value};
    return system_error(ErrorKind::path_unusable, path, "open of its lock file " + name,
                        errno_value);
}

Result<UniqueFd> take_lock(const std::string &path)
{
    const std::string name = lock_path(path);
    constexpr int max_attempts = 100;
    for (int attempt = 0; attempt < max_attempts; ++attempt) {
        UniqueFd fd(
            ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
        if (!fd)
            return describe_lock_failure(path, name, errno);
        struct stat info {};
        if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size != 0)
            return Error{ErrorKind::path_unusable, path,
                         name + " is not an empty lock file; it was left alone", EEXIST};
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return Error{ErrorKind::path_busy, path,
                             "a process holds the lock " + name + ", which belongs to uid " +
                                 std::to_string(info.st_uid),
                             EWOULDBLOCK};
            return system_error(ErrorKind::path_unusable, path, "flock of " + name, errno);
        }
        // The previous holder may have removed the file after it was opened here. Then this lock
        // protects nothing, and the next iteration creates a new file.
        if (same_file(name, fd.get()))
            return fd;
    }
    return Error{ErrorKind::path_busy, path, name + " is being replaced repeatedly", EAGAIN};
}

/// Whether no process listens on the socket any more, without disturbing one that does: a datagram
/// socket cannot be connected to a stream socket, and the kernel returns ECONNREFUSED only if there
/// is no listener. Any other error may be that of a running server, for example one that this user
/// may not connect to.
bool is_stale(const SocketAddress &address)
{
    const UniqueFd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return probe && ::connect(probe.get(), address.get(), address.size()) != 0 &&
           errno == ECONNREFUSED;
}

/// Whether there is a socket. Error: there is another file.
Result<bool> has_socket(const std::string &path)
{
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT)
            return false;
        return system_error(ErrorKind::path_unusable, path, "lstat", errno);
    }
    if (!S_ISSOCK(info.st_mode))
        return Error{ErrorKind::path_unusable, path,
                     "there is a file that is not a socket; it was left alone", EEXIST};
    return true;
}

Status remove_stale_socket(const std::string &path, const SocketAddress &address)
{
    auto found = has_socket(path);
    if (!found)
        return found.error();
    if (!*found)
        return Done{};
    if (!is_stale(address))
        return Error{ErrorKind::path_busy, path, "a server without a lock file listens on it",
                     EADDRINUSE};
    if (::unlink(path.c_str()) != 0)
        return system_error(ErrorKind::path_unusable, path, "unlink of the stale socket", errno);
    return Done{};
}

/// Returns the listening socket for this address that the process was started with, if any.
UniqueFd take_handed_over(const SocketAddress &address)
{
    const auto number = [](const char *name) {
        const char *text = std::getenv(name);
        return text != nullptr ? std::atoi(text) : 0;
    };
    if (number("LISTEN_PID") != ::getpid())
        return {};
    constexpr int first = 3; // SD_LISTEN_FDS_START
    for (int fd = first; fd < first + number("LISTEN_FDS"); ++fd) {
        sockaddr_un bound{};
        socklen_t size = sizeof bound;
        if (::getsockname(fd, reinterpret_cast<sockaddr *>(&bound), &size) == 0 &&
            address.is_same(bound)) {
            // A copy, so that the element can be restarted.
            UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, first));
            ::fcntl(copy.get(), F_SETFL, O_NONBLOCK);
            return copy;
        }
    }
    return {};
}

constexpr int backlog = 16;

} // namespace

Result<ListeningSocket> ListeningSocket::open(const Endpoint &endpoint)
{
    const auto &path = endpoint.path;
    auto address = SocketAddress::from_path(path);
    if (!address)
        return address.error();

    // Its destructor cleans up after every error below.
    ListeningSocket result(path);
    result.socket_ = take_handed_over(*address);
    if (result.socket_)
        return result;

    if (!SocketAddress::is_abstract(path)) {
        // No lock file is created next to a file of another program.
        if (auto found = has_socket(path); !found)
            return found.error();
        auto lock = take_lock(path);
        if (!lock)
            return lock.error();
        result.lock_ = std::move(*lock);
        if (auto removed = remove_stale_socket(path, *address); !removed)
            return removed.error();
    }
    if (auto bound = result.bind(endpoint); !bound)
        return bound.error();
    return result;
}

Result<std::optional<ListeningSocket>> ListeningSocket::open_if_listening(const Endpoint &endpoint)
{
    std::optional<ListeningSocket> socket;
    if (endpoint.role == Role::listen) {
        auto opened = open(endpoint);
        if (!opened)
            return opened.error();
        socket.emplace(std::move(*opened));
    } else if (auto address = SocketAddress::from_path(endpoint.path); !address) {
        return address.error();
    }
    return socket;
}

Status ListeningSocket::bind(const Endpoint &endpoint)
{
    const auto unusable = [this](const char *call) {
        const auto kind = errno == EADDRINUSE ? ErrorKind::path_busy : ErrorKind::path_unusable;
        return system_error(kind, path_, call, errno);
    };
    const auto address = *SocketAddress::from_path(path_);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return system_error(ErrorKind::out_of_resources, path_, "socket", errno);
    // Before bind(), so that the file never has more permissions than requested.
    if (::fchmod(fd.get(), endpoint.mode) != 0)
        return unusable("fchmod");
    if (::bind(fd.get(), address.get(), address.size()) != 0)
        return unusable("bind");
    if (!SocketAddress::is_abstract(path_)) {
        struct stat info {};
        if (::lstat(path_.c_str(), &info) != 0)
            return unusable("lstat");
        device_ = info.st_dev;
        inode_ = info.st_ino;
        constexpr auto same_owner = static_cast<uid_t>(-1);
        if (endpoint.group && ::lchown(path_.c_str(), same_owner, *endpoint.group) != 0)
            return unusable("chown");
        // The umask may have removed permissions. No process can connect before listen().
        if (::chmod(path_.c_str(), endpoint.mode) != 0)
            return unusable("chmod");
    }
    if (::listen(fd.get(), backlog) != 0)
        return unusable("listen");
    socket_ = std::move(fd);
    return Done{};
}

bool ListeningSocket::has_own_file() const
{
    struct stat info {};
    return inode_ != 0 && ::lstat(path_.c_str(), &info) == 0 && S_ISSOCK(info.st_mode) &&
           info.st_dev == device_ && info.st_ino == inode_;
}

void ListeningSocket::announce() const
{
    if (has_own_file())
        ::utimensat(AT_FDCWD, path_.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

ListeningSocket::~ListeningSocket()
{
    if (has_own_file())
        ::unlink(path_.c_str());
    // While the lock is held, so that no process locks a file that is about to be removed.
    const auto name = lock_path(path_);
    if (lock_ && same_file(name, lock_.get()))
        ::unlink(name.c_str());
}

} // namespace jkvm
