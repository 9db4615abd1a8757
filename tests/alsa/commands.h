// SPDX-License-Identifier: LGPL-2.1-or-later
// Parses the commands of the test PCM and accesses the control directory that tests send them
// through.
//
// A control directory serves one open PCM at a time (two readers of one FIFO would each get only
// some of the commands) and contains:
//   cmd         FIFO, one command per line, created by the PCM if missing; executed immediately
//   log         events, one per line: seconds (CLOCK_MONOTONIC), process, event
//   open_errno  while it exists, opening fails with the error that it names, e.g. EBUSY
//   rate        the only rate offered (Hz); read when the PCM is opened
//   channels    the only number of channels offered; read when the PCM is opened
//   format      the only formats offered, e.g. "S16_LE S32_LE"; read when the PCM is opened
//   at_open     commands, one per line, executed at every open: a fault that persists across
//               reopens; commands that need a running stream are ignored
//   record      if it exists when a PCM is opened for playback, the played frames are appended to
//               the file "played": 32-bit samples, interleaved, little endian
//   time        the simulated time of the PCM in ns (8 bytes), which replaces CLOCK_MONOTONIC if
//               the file exists when the PCM is opened (device_time.h)
//   continue    the content continues in real time across reopens; contains its start time
//               (CLOCK_MONOTONIC in ns); an empty file is filled in by the next open. Without
//               it, every open starts at the beginning.
//
// The source continues in real time while the stream is stopped, suspended or in an xrun: that part
// of the content is lost.
//
// Commands:
//   xrun            causes an overrun or underrun; needs a running stream
//   suspend         SUSPENDED until resumed or prepared; needs a running stream
//   unplug          removes the device: DISCONNECTED, and open_errno has ENODEV until the file is
//                   deleted
//   freeze MS       stops only the device's clock; 0 thaws it
//   err ERRNO       one transfer fails, e.g. err EIO
//   errs ERRNO|0    every transfer fails, until 0
//   srcrate HZ|0    the true rate of the source, while the PCM reports the negotiated rate; eight
//                   times that or more is free-running: as fast as it is read, without overruns
//   ppm X           deviation of the clock in parts per million; positive is fast
//   noresume N      the next N attempts to resume leave the stream suspended, as with a driver that
//                   returns EAGAIN or ENOSYS; alsa-lib reports success anyway
//
// Commands for capture:
//   short N|0       at most N unread frames are visible
//   freq HZ         frequency of the tone; its phase is continuous
//   amp A           peak of the tone or gain of the file, 1 = full scale or unchanged
//   constant V|off  every sample is V (-1..1), as on a dead input
//   gap FRAMES      the next frames of the source are lost without an error
//
// Commands for playback:
//   granularity N   the hardware pointer advances in steps of N frames
//   jitter US       maximum delay of the hardware pointer relative to the played frames (us)
//
// Playback: like a sound card's, the ring buffer keeps its content across prepare, so stale audio
// can be played. Frames are recorded when the clock passes them, not when they are written. A
// loopback (option "loop", audio_loopback.h) carries them to a PCM opened for capture, in place of
// its signal.
//
// Events in the log: opened, refused, hw_params, prepare, start, stop, resume, overrun, thaw,
// "read fails", closed, "cmd <the line>", and for commands without effect "unknown command" or
// "ignored". A PCM opened for playback logs "opened playback", underrun, "write fails", and
// "play EVENT frame=F time=T speed=S" when its clock starts, stops or changes its speed: frame F
// of the file "played" is played at T ns (CLOCK_MONOTONIC), and the following frames at S frames
// per second.
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
    double value = 0; ///< numeric argument in the unit documented above, or an errno
    bool off = false; ///< the argument was "off"

    bool operator==(const Command &) const = default;
};

/// Parses a command line. Returns Kind::unknown for anything but a valid command with its argument.
[[nodiscard]] Command parse_command(std::string_view line);

/// Returns the errno given as its name ("EBUSY") or in digits; nullopt for any other text.
[[nodiscard]] std::optional<int> parse_errno(std::string_view text);

/// Returns the name of an errno, e.g. "EBUSY", or its digits if it has none.
[[nodiscard]] std::string errno_name(int number);

/// Assembles lines from chunks of bytes.
class LineSplitter {
public:
    /// Calls `take` for each line that `bytes` completes, without its line ending. Empty lines are
    /// skipped.
    void feed(std::string_view bytes, const std::function<void(std::string_view)> &take);

private:
    static constexpr size_t max_line = 4096; // bytes; longer lines are truncated
    std::string begun_;
};

/// A control directory as used by one process. Its functions do not fail: a file that cannot be
/// opened counts as missing. Not thread-safe; the owner locks.
class ControlDirectory {
public:
    /// An empty `path` means no directory: no commands and no log.
    explicit ControlDirectory(std::string path);

    /// Opens the FIFO, and creates it if it is missing.
    void open_commands();

    [[nodiscard]] const std::string &path() const { return path_; }

    /// Descriptor to be polled for POLLIN; -1 if there is none.
    [[nodiscard]] int command_fd() const { return commands_.get(); }

    /// Passes all pending commands to `take`; never blocks.
    void read_commands(const std::function<void(std::string_view)> &take);

    /// Appends one line to the log.
    void log(std::string_view event);

    /// Returns the file's content without surrounding white space; nullopt if it does not exist.
    [[nodiscard]] std::optional<std::string> read(const char *name) const;
    void write(const char *name, std::string_view content);

    /// Returns the number in a file; nullopt if the file does not exist or has no positive number.
    [[nodiscard]] std::optional<unsigned> read_number(const char *name) const;

private:
    std::string path_;
    UniqueFd log_;
    UniqueFd commands_;
    LineSplitter lines_;
};

} // namespace jkvm::testing
