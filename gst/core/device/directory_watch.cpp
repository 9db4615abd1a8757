// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/directory_watch.h"

#include <sys/inotify.h>

#include <array>

namespace jkvm {

namespace {

// udev changes the owner and mode of a device node after the kernel has created it.
constexpr std::uint32_t entry_events =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;

} // namespace

DirectoryWatch::DirectoryWatch(const std::string &path)
    : path_(path), parent_(path.substr(0, path.rfind('/'))),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC))
{
    watch();
}

void DirectoryWatch::watch()
{
    if (!inotify_)
        return;
    // Watching the same directory again changes nothing. The parent is watched in any case, because
    // the directory may be removed and created again.
    ::inotify_add_watch(inotify_.get(), parent_.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    ::inotify_add_watch(inotify_.get(), path_.c_str(), entry_events | IN_ONLYDIR);
}

void DirectoryWatch::take_changes()
{
    alignas(inotify_event) std::array<char, 4096> discarded{};
    while (inotify_ && ::read(inotify_.get(), discarded.data(), discarded.size()) > 0) {
    }
    watch();
}

} // namespace jkvm
