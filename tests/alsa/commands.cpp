// SPDX-License-Identifier: LGPL-2.1-or-later
// Parses the commands of the test PCM and accesses the control directory.
#include "alsa/commands.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace jkvm::testing {
namespace {

using Kind = Command::Kind;

enum class Argument { none, number, number_not_negative, errno_name, errno_or_zero, number_or_off };

struct Entry {
    std::string_view name;
    Kind kind;
    Argument argument;
};

constexpr std::array commands{
    Entry{"xrun", Kind::xrun, Argument::none},
    Entry{"suspend", Kind::suspend, Argument::none},
    Entry{"unplug", Kind::unplug, Argument::none},
    Entry{"freeze", Kind::freeze, Argument::number_not_negative},
    Entry{"err", Kind::fail_once, Argument::errno_name},
    Entry{"errs", Kind::fail_always, Argument::errno_or_zero},
    Entry{"short", Kind::short_reads, Argument::number_not_negative},
    Entry{"freq", Kind::frequency, Argument::number_not_negative},
    Entry{"amp", Kind::amplitude, Argument::number_not_negative},
    Entry{"constant", Kind::constant, Argument::number_or_off},
    Entry{"srcrate", Kind::source_rate, Argument::number_not_negative},
    Entry{"ppm", Kind::drift, Argument::number},
    Entry{"gap", Kind::gap, Argument::number_not_negative},
    Entry{"granularity", Kind::granularity, Argument::number_not_negative},
    Entry{"jitter", Kind::pointer_jitter, Argument::number_not_negative},
    Entry{"noresume", Kind::refuse_resume, Argument::number_not_negative},
};

constexpr int highest_errno = 133;
constexpr double highest_number = 1e12; // so that frames and ns fit into 64 bits
constexpr std::string_view space = " \t\r\n";

std::string_view trim(std::string_view text)
{
    const size_t begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos)
        return {};
    return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

std::optional<double> parse_number(std::string_view text)
{
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) ||
        std::abs(value) > highest_number)
        return std::nullopt;
    return value;
}

bool parse_argument(Argument argument, std::string_view text, Command &command)
{
    if (argument == Argument::none)
        return text.empty();
    if (argument == Argument::number_or_off && text == "off") {
        command.off = true;
        return true;
    }
    if (argument == Argument::errno_name || (argument == Argument::errno_or_zero && text != "0")) {
        const auto number = parse_errno(text);
        command.value = number.value_or(0);
        return number.has_value();
    }
    const auto value = parse_number(text);
    command.value = value.value_or(0);
    return value &&
           (*value >= 0 || argument == Argument::number || argument == Argument::number_or_off);
}

} // namespace

Command parse_command(std::string_view line)
{
    line = trim(line);
    const size_t end = std::min(line.find_first_of(space), line.size());
    for (const Entry &entry : commands) {
        if (entry.name != line.substr(0, end))
            continue;
        Command command{.kind = entry.kind};
        if (parse_argument(entry.argument, trim(line.substr(end)), command))
            return command;
        break;
    }
    return {};
}

std::optional<int> parse_errno(std::string_view text)
{
    text = trim(text);
    for (int number = 1; number <= highest_errno; number++) {
        if (text == errno_name(number) || text == std::to_string(number))
            return number;
    }
    // The number has two names, and errno_name() returns only "EAGAIN".
    if (text == "EWOULDBLOCK")
        return EWOULDBLOCK;
    return std::nullopt;
}

std::string errno_name(int number)
{
    const char *name = strerrorname_np(number);
    return name ? name : std::to_string(number);
}

void LineSplitter::feed(std::string_view bytes, const std::function<void(std::string_view)> &take)
{
    for (const char byte : bytes) {
        if (byte != '\n') {
            if (begun_.size() < max_line)
                begun_ += byte;
            continue;
        }
        const std::string line = std::exchange(begun_, {});
        if (!trim(line).empty())
            take(trim(line));
    }
}

ControlDirectory::ControlDirectory(std::string path) : path_{std::move(path)}
{
    if (!path_.empty())
        log_ = UniqueFd{
            open((path_ + "/log").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)};
}

void ControlDirectory::open_commands()
{
    if (path_.empty())
        return;
    const std::string fifo = path_ + "/cmd";
    mkfifo(fifo.c_str(), 0600);
    // O_RDWR, so that the FIFO does not report a hang-up when a sender closes it.
    UniqueFd fd{open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    struct stat status = {};
    if (fd && fstat(fd.get(), &status) == 0 && S_ISFIFO(status.st_mode))
        commands_ = std::move(fd);
}

void ControlDirectory::read_commands(const std::function<void(std::string_view)> &take)
{
    std::array<char, 512> bytes; // NOLINT: filled by read()
    while (commands_) {
        const ssize_t count = ::read(commands_.get(), bytes.data(), bytes.size());
        if (count <= 0)
            return;
        lines_.feed({bytes.data(), static_cast<size_t>(count)}, take);
    }
}

void ControlDirectory::log(std::string_view event)
{
    if (!log_)
        return;
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    std::array<char, 64> head{};
    std::snprintf(head.data(), head.size(), "%lld.%06ld %d ", static_cast<long long>(now.tv_sec),
                  now.tv_nsec / 1000, static_cast<int>(getpid()));
    const std::string line = head.data() + std::string(event) + '\n';
    // A single write, so that the lines of two processes do not mix. A full disk loses the line.
    if (::write(log_.get(), line.data(), line.size()) < 0)
        log_ = UniqueFd{};
}

std::optional<std::string> ControlDirectory::read(const char *name) const
{
    if (path_.empty())
        return std::nullopt;
    const UniqueFd fd{open((path_ + "/" + name).c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 256> bytes{};
    const ssize_t count = fd ? ::read(fd.get(), bytes.data(), bytes.size()) : -1;
    if (count < 0)
        return std::nullopt;
    return std::string(trim({bytes.data(), static_cast<size_t>(count)}));
}

void ControlDirectory::write(const char *name, std::string_view content)
{
    if (path_.empty())
        return;
    const UniqueFd fd{
        open((path_ + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (fd && ::write(fd.get(), content.data(), content.size()) < 0)
        log("write failed");
}

std::optional<unsigned> ControlDirectory::read_number(const char *name) const
{
    const auto text = read(name);
    const auto value = text ? parse_number(*text) : std::nullopt;
    if (!value || *value < 1 || *value > 1e6)
        return std::nullopt;
    return static_cast<unsigned>(*value);
}

} // namespace jkvm::testing
