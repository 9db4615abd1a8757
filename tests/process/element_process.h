// SPDX-License-Identifier: LGPL-2.1-or-later
// An element in a gst-launch-1.0 process of its own, and the test as the other end of its
// connections: raw sockets, so that it can do whatever it wants.
#pragma once

#include "core/base/unique_fd.h"
#include "support/program.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace jkvm::testing {

/// Both elements, and both of the things that they do with a path.
enum class Part { sink_listens, source_listens, sink_connects, source_connects };

inline constexpr Part all_parts[] = {Part::sink_listens, Part::source_listens, Part::sink_connects,
                                     Part::source_connects};

constexpr bool is_sink(Part part)
{
    return part == Part::sink_listens || part == Part::sink_connects;
}
constexpr bool is_listening(Part part)
{
    return part == Part::sink_listens || part == Part::source_listens;
}
/// The output path for who listens as a sink or connects as a source; the microphone's else.
constexpr bool is_output(Part part)
{
    return is_sink(part) == is_listening(part);
}
std::string name_of(Part part);
std::ostream &operator<<(std::ostream &stream, Part part);

/// The options and the pipeline of such a process. A source's fakesink says what it gets.
std::string pipeline_of(Part part, const std::string &properties);

/// Whether it becomes true in time; asked again and again.
bool eventually(const std::function<bool()> &condition);

/// An OpusFrame of 20 ms, first dialect, captured now; `size` is that of the packet.
std::vector<std::uint8_t> frame_of(std::size_t size, bool is_output);

/// Reads a frame of the first dialect: when it was captured, nanoseconds since the Unix epoch; 0
/// when none comes.
std::int64_t capture_time_of_next_frame(int connection);

class ElementProcess {
public:
    /// It is in PLAYING when this returns, so one that listens has its path. `library` and
    /// `environment` as for gst_launch().
    explicit ElementProcess(Part part, const std::string &properties = {},
                            const std::string &library = {},
                            const std::vector<std::string> &environment = {});

    /// A connection to it, or the next one that it makes.
    UniqueFd meet();
    /// Sound goes over the connection: fails the test if not.
    void expect_sound(int connection);
    /// The same over a new one.
    void expect_sound() { expect_sound(meet().get()); }
    /// A source has got the frame with a packet of this size; no two frames of a test have the
    /// same.
    void expect_frame(std::size_t size);
    /// A message for it, first dialect, with the time now.
    [[nodiscard]] std::vector<std::uint8_t> message(std::uint8_t type,
                                                    const std::vector<std::uint8_t> &payload) const;
    /// It says in an element message that a connection came to such an end.
    void expect_reason(const std::string &reason);
    /// Ends it as Ctrl-C does; it had no error.
    void expect_good_end();

    [[nodiscard]] const std::string &path() const { return path_; }
    [[nodiscard]] Program &program() { return program_; }
    [[nodiscard]] pid_t pid() const { return program_.pid(); }

private:
    Part part_;
    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    Program program_;
    UniqueFd listener_; // that it connects to
    std::size_t next_size_ = 300;
};

} // namespace jkvm::testing
