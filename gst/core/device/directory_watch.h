// SPDX-License-Identifier: LGPL-2.1-or-later
// Watches a directory, which need not exist, for entries that appear, disappear or become
// accessible.
#pragma once

#include "core/base/unique_fd.h"

#include <string>

namespace jkvm {

/// Uses inotify. While the directory is missing, its parent is watched. Thread-bound.
class DirectoryWatch {
public:
    /// `path`: absolute; its parent exists. Starts watching.
    explicit DirectoryWatch(const std::string &path);

    /// Readable when an event is pending; -1 if the kernel refused to watch.
    [[nodiscard]] int fd() const { return inotify_.get(); }
    /// Discards the pending events and watches a directory that appeared. Changes after this call
    /// make fd() readable again.
    void take_changes();

private:
    void watch();

    std::string path_;
    std::string parent_;
    UniqueFd inotify_;
};

} // namespace jkvm
