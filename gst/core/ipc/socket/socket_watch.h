// SPDX-License-Identifier: LGPL-2.1-or-later
// Watches the file system for a socket that appears at a path.
#pragma once

#include "core/base/unique_fd.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace jkvm {

/// Watches the socket's directory with inotify, or its nearest existing parent while the directory
/// is missing. Thread-bound.
class SocketWatch {
public:
    /// `path`: empty = watches nothing. Holds a descriptor for its lifetime, unless there is
    /// nothing to watch.
    explicit SocketWatch(std::string path);

    /// Starts watching, unless it has started already. Returns false if there is nothing to watch:
    /// an abstract name, a symbolic link, or a directory without read permission. To be called
    /// before an attempt to connect, so that no socket appears unnoticed in between.
    bool arm();
    /// Stops watching. If the socket has been replaced by the time the watch is armed again, that
    /// is reported as an appearance.
    void disarm();
    [[nodiscard]] bool is_armed() const { return watch_ >= 0; }

    /// Readable when an event is pending; -1 if there is nothing to watch.
    [[nodiscard]] int fd() const { return inotify_.get(); }
    /// Reads the pending events. Returns whether the socket appeared or its permissions changed. To
    /// be called after arm() as well.
    bool take_appearance();

private:
    /// Watches the nearest existing directory. Returns false if none can be watched.
    bool watch_nearest();

    /// Identity of the file at the path. Inode numbers are reused, so the time is part of it.
    struct FileIdentity {
        dev_t device;
        ino_t inode;
        std::int64_t seconds;
        long nanoseconds;
        bool operator==(const FileIdentity &) const = default;
    };
    static std::optional<FileIdentity> identify(const std::string &path);

    std::string path_;
    std::optional<FileIdentity> seen_; // when it was disarmed
    bool has_changed_ = false;         // while it was disarmed
    UniqueFd inotify_;
    int watch_ = -1;       // inotify's number of the watched directory
    std::string awaited_;  // the entry of that directory that leads to the socket
    bool is_last_ = false; // ... and is the socket itself
};

} // namespace jkvm
