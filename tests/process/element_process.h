// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs an element in a separate gst-launch-1.0 process. The test is its peer and uses raw sockets,
// so that it can violate the protocol.
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

/// The two elements, each of which listens or connects.
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
/// Whether the part is on the output path (a listening sink or a connecting source) and not on the
/// microphone path.
constexpr bool is_output(Part part)
{
    return is_sink(part) == is_listening(part);
}
std::string name_of(Part part);
std::ostream &operator<<(std::ostream &stream, Part part);

/// Returns the options and the pipeline for gst-launch-1.0. The fakesink after a source prints the
/// buffers it receives.
std::string pipeline_of(Part part, const std::string &properties);

/// Polls the condition until it is true. Returns false after `wait_timeout`.
bool eventually(const std::function<bool()> &condition);

/// Returns an OpusFrame message of 20 ms, first dialect, captured now. `size` is the packet size.
std::vector<std::uint8_t> frame_of(std::size_t size, bool is_output);

/// Reads a frame of the first dialect and returns its capture time, nanoseconds since the Unix
/// epoch; 0 if none arrives within `wait_timeout`.
std::int64_t capture_time_of_next_frame(int connection);

class ElementProcess {
public:
    /// Starts the process and waits until it is PLAYING, so that a listening element has created
    /// its socket. `library` and `environment` are as for gst_launch().
    explicit ElementProcess(Part part, const std::string &properties = {},
                            const std::string &library = {},
                            const std::vector<std::string> &environment = {});

    /// Returns a new connection to a listening element, or the next one that a connecting element
    /// makes.
    UniqueFd connect_peer();
    /// Expects that a frame passes over the connection.
    void expect_audio(int connection);
    /// Expects that a frame passes over a new connection.
    void expect_audio() { expect_audio(connect_peer().get()); }
    /// Expects that a source received the frame with a packet of this size. Sizes are unique
    /// within a test.
    void expect_frame(std::size_t size);
    /// Returns a message for the element, first dialect, with the current time.
    [[nodiscard]] std::vector<std::uint8_t> message(std::uint8_t type,
                                                    const std::vector<std::uint8_t> &payload) const;
    /// Expects an element message with this `reason`.
    void expect_reason(const std::string &reason);
    /// Ends the process with SIGINT and expects that it reported no error.
    void expect_clean_exit();

    [[nodiscard]] const std::string &path() const { return path_; }
    [[nodiscard]] Program &program() { return program_; }
    [[nodiscard]] pid_t pid() const { return program_.pid(); }

private:
    Part part_;
    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    Program program_;
    UniqueFd listener_; // for a connecting element
    std::size_t next_size_ = 300;
};

} // namespace jkvm::testing
