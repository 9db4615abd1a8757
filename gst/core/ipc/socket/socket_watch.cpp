// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/socket_watch.h"

#include "core/ipc/socket/socket_address.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace jkvm {

namespace {

// IN_ATTRIB: a server may grant access to its socket after it was bound.
constexpr std::uint32_t watched_events =
    IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

bool is_symbolic_link(const std::string &path)
{
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

} // namespace

SocketWatch::SocketWatch(std::string path) : path_(std::move(path))
{
    if (!path_.empty() && !SocketAddress::is_abstract(path_))
        inotify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

bool SocketWatch::arm()
{
    if (is_armed())
        return true;
    if (!inotify_ || is_symbolic_link(path_) || !watch_nearest())
        return false;
    const auto found = identify(path_);
    has_changed_ = found && seen_ && *found != *seen_;
    return true;
}

void SocketWatch::disarm()
{
    if (is_armed())
        ::inotify_rm_watch(inotify_.get(), watch_);
    watch_ = -1;
    std::array<char, 4096> discarded{};
    while (inotify_ && ::read(inotify_.get(), discarded.data(), discarded.size()) > 0) {
    }
    seen_ = identify(path_);
}

std::optional<SocketWatch::FileIdentity> SocketWatch::identify(const std::string &path)
{
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0)
        return std::nullopt;
    return FileIdentity{info.st_dev, info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

bool SocketWatch::watch_nearest()
{
    std::filesystem::path entry = path_;
    is_last_ = true;
    for (;;) {
        const auto directory = entry.has_parent_path() ? entry.parent_path() : ".";
        const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), watched_events);
        if (watch >= 0) {
            if (watch_ >= 0 && watch_ != watch)
                ::inotify_rm_watch(inotify_.get(), watch_);
            watch_ = watch;
            awaited_ = entry.filename();
            if (is_last_ || !identify(entry))
                return true;
            // The next directory was created just now.
            entry = path_;
            is_last_ = true;
            continue;
        }
        if (errno != ENOENT || directory == entry || directory == ".")
            return false;
        entry = directory;
        is_last_ = false;
    }
}

bool SocketWatch::take_appearance()
{
    bool has_appeared = std::exchange(has_changed_, false);
    bool has_moved = false; // the watch is in the wrong place
    alignas(inotify_event) std::array<char, 4096> buffer{};
    for (;;) {
        const auto size = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (size <= 0)
            break;
        for (ssize_t offset = 0; offset < size;) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + offset, sizeof event);
            const char *name = buffer.data() + offset + sizeof event;
            offset += static_cast<ssize_t>(sizeof event + event.len);
            if ((event.mask & IN_Q_OVERFLOW) != 0)
                has_appeared = has_moved = true;
            else if (event.wd != watch_)
                continue; // of a directory that is no longer watched
            else if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0)
                has_moved = true;
            else if (event.len > 0 && awaited_ == name)
                (is_last_ ? has_appeared : has_moved) = true;
        }
    }
    if (has_moved) {
        if (watch_nearest())
            has_appeared |= is_last_ && identify(path_).has_value();
        else
            disarm();
    }
    return has_appeared;
}

} // namespace jkvm
