// SPDX-License-Identifier: LGPL-2.1-or-later
// Commands to the test PCM, and the control directory through which tests send them.
//
// A control directory serves one open PCM at a time (two readers of one FIFO would each get some
// of the commands) and holds:
//   cmd         FIFO, one command per line, created by the PCM if missing; executed at once
//   log         events, one line each: seconds (CLOCK_MONOTONIC), process, event
//   open_errno  while it exists, opening fails with the error that it names, e.g. EBUSY
//   rate        only this rate is offered, in Hz; read when the PCM is opened
//   channels    only this number of channels is offered; read when the PCM is opened
//   format      only these formats are offered, e.g. "S16_LE S32_LE"; read when opened
//   at_open     commands, one per line, executed by each open: a fault that reopening does not
//               end; commands that need a running stream are ignored
//   record      as long as it is there when a PCM is opened for playback, what it plays is appended
//   to
//               the file "played": 32-bit samples, interleaved, little endian
//   continue    the content continues in real time across reopens; contains its start time
//               (CLOCK_MONOTONIC in ns); an empty file is filled in by the next open. Without
//               it, every open starts at the beginning.
//
// The source continues in real time while the stream is stopped, suspended or in an xrun: that part
// of it is missing afterwards.
//
// Commands:
//   xrun            an overrun or underrun now; needs a running stream
//   suspend         SUSPENDED until resumed or prepared; needs a running stream
//   unplug          removes the device: DISCONNECTED, and open_errno has ENODEV until the file is
//   deleted freeze MS       stops the device's clock and nothing else; 0 thaws it err ERRNO one
//   transfer fails, e.g. err EIO errs ERRNO|0    every transfer fails, until 0 srcrate HZ|0    the
//   source's true rate while the PCM claims its own; eight times that or more
//                   is free-running: as fast as it is read, without overruns
//   ppm X           the clock is this much too fast, in parts per million
//
// Commands for capture:
//   short N|0       never more than N unread frames are visible
//   freq HZ         frequency of the tone, without a step in its phase
//   amp A           peak of the tone or gain of the file, 1 = full scale or unchanged
//   constant V|off  every sample is V (-1..1), as on a dead input
//   gap FRAMES      the next frames of the source are lost without an error
//
// Commands for playback:
//   granularity N   the hardware pointer moves by N frames at once
//   jitter US       the hardware pointer moves up to so much later than its frames are played
//   noresume N      the next N attempts to resume leave the stream suspended, as a driver that
//                   returns EAGAIN or ENOSYS; alsa-lib reports success all the same
//
// Playback: the ring's memory keeps its content across prepare, as that of a sound card, so stale
// audio can be played. Frames are recorded when the clock passes them, not when they are written.
//
// Events in the log: opened, refused, hw_params, prepare, start, stop, resume, overrun, thaw,
// "read fails", closed, "cmd <the line>", and for commands without effect "unknown command" or
// "ignored". A PCM opened for playback logs "opened playback", underrun, "write fails", and
// "play EVENT frame=F time=T speed=S" where its clock starts, stops or changes its speed: frame F
// of the file "played" is played at T ns (CLOCK_MONOTONIC) and those after it at S frames per
// second.
#pragma once

#include "core/base/unique_fd.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace jkvm::testing {

struct Command {
    enum class Kind {
        xrun,
        suspend,
        unplug,
        freeze,
        fail_once,
        fail_always,
        short_reads,
        frequency,
        amplitude,
        constant,
        source_rate,
        drift,
        gap,
        granularity,
        pointer_jitter,
        refuse_resume,
        unknown,
    };
    Kind kind = Kind::unknown;
    double value = 0; ///< the argument: a number in the unit of the table above, or an errno
    bool off = false; ///< the argument was "off"

    bool operator==(const Command &) const = default;
};

/// Kind::unknown for anything that is not exactly a command of the table with its argument.
[[nodiscard]] Command parse_command(std::string_view line);

/// The number of an errno given as its name ("EBUSY") or in digits; nullopt for anything else.
[[nodiscard]] std::optional<int> parse_errno(std::string_view text);

/// "EBUSY", or the digits of a number that has no name.
[[nodiscard]] std::string errno_name(int number);

/// Assembles lines from chunks of bytes.
class LineSplitter {
public:
    /// Calls `take` for each line that `bytes` completes, without its end; empty lines are left
    /// out.
    void feed(std::string_view bytes, const std::function<void(std::string_view)> &take);

private:
    static constexpr size_t max_line = 4096; // a longer one is cut
    std::string begun_;
};

/// One process's end of a control directory. Nothing here fails: a file that cannot be opened
/// counts as missing. Not thread-safe; its owner locks.
class ControlDirectory {
public:
    /// Without a directory (`path` empty): no commands, no log.
    explicit ControlDirectory(std::string path);

    /// Opens the FIFO, making it if it is missing.
    void open_commands();

    [[nodiscard]] const std::string &path() const { return path_; }

    /// To be polled for POLLIN; -1 when there is none.
    [[nodiscard]] int command_fd() const { return commands_.get(); }

    /// Takes all pending commands; never blocks.
    void read_commands(const std::function<void(std::string_view)> &take);

    /// Appends one line to the log.
    void log(std::string_view event);

    /// The file's content without surrounding white space; nullopt if it does not exist.
    [[nodiscard]] std::optional<std::string> read(const char *name) const;
    void write(const char *name, std::string_view content);

    /// The number in a file; nullopt if it does not exist or holds no positive number.
    [[nodiscard]] std::optional<unsigned> read_number(const char *name) const;

private:
    std::string path_;
    UniqueFd log_;
    UniqueFd commands_;
    LineSplitter lines_;
};

} // namespace jkvm::testing
