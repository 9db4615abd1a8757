// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/system_load.h"

#include "core/base/unique_fd.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace jkvm {

namespace {

// The first 4096 bytes of a file under /proc or /sys, which is more than any field read here needs.
class FileHead {
public:
    explicit FileHead(const std::string &path)
    {
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        const auto length = fd ? ::read(fd.get(), buffer_.data(), buffer_.size()) : 0;
        text_ = {buffer_.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
    }
    FileHead(const FileHead &) = delete;
    FileHead &operator=(const FileHead &) = delete;

    /// Parses the number at the start of the remaining text and moves past it.
    std::optional<double> take_number()
    {
        text_.remove_prefix(std::min(text_.find_first_not_of(" \t"), text_.size()));
        double value = 0;
        const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
        if (error != std::errc())
            return std::nullopt;
        text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
        return value;
    }
    /// The number that follows `key` at the start of a line. Moves the remaining text past it.
    std::optional<double> number_of(std::string_view key)
    {
        for (auto rest = text_; !rest.empty();) {
            const auto line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
            if (line.substr(0, key.size()) == key) {
                text_ = line.substr(key.size());
                return take_number();
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] std::string_view rest() const { return text_; }

private:
    std::array<char, 4096> buffer_{};
    std::string_view text_;
};

// Directory of this process's control group: the last field of the line "0::/some/path".
std::string group_path(const std::string &root)
{
    const FileHead text(root + "/proc/self/cgroup");
    const auto start = text.rest().find("0::");
    if (start == std::string_view::npos)
        return root + "/sys/fs/cgroup/";
    auto path = text.rest().substr(start + 3);
    path = path.substr(0, path.find('\n'));
    return root + "/sys/fs/cgroup" + std::string(path) + "/";
}

} // namespace

ProcSystemLoad::ProcSystemLoad(const std::string &root)
    : stat_(root + "/proc/stat"), uptime_(root + "/proc/uptime"), meminfo_(root + "/proc/meminfo")
{
    const auto group = group_path(root);
    cpu_max_ = group + "cpu.max";
    cpu_stat_ = group + "cpu.stat";
    memory_max_ = group + "memory.max";
    memory_current_ = group + "memory.current";
    memory_stat_ = group + "memory.stat";
}

std::optional<LoadSample> ProcSystemLoad::sample()
{
    const auto counters = read_counters();
    const auto before = std::exchange(last_, counters);
    const auto memory = memory_percent();
    if (!counters || !before || !memory || counters->total <= before->total)
        return std::nullopt;
    return LoadSample{std::clamp(cpu_percent(*before, *counters), 0.0, 100.0),
                      std::clamp(*memory, 0.0, 100.0)};
}

void LoadGauge::restart()
{
    const auto source = source_.lock();
    last_.lock()->reset();
    (void)source->load->sample();
}

std::optional<LoadSample> LoadGauge::measure(MonotonicTime now)
{
    const auto source = source_.lock();
    if (sample() && now - source->measured < interval)
        return sample();
    source->measured = now;
    if (const auto load = source->load->sample())
        *last_.lock() = load;
    return sample();
}

std::optional<ProcSystemLoad::Counters> ProcSystemLoad::read_counters() const
{
    const auto uptime = FileHead(uptime_).take_number();
    FileHead stat(stat_);
    auto ticks = stat.number_of("cpu "); // user, nice, system, idle, iowait, irq, softirq, steal
    if (!uptime || !ticks)
        return std::nullopt;
    Counters counters{*uptime, 0, 0, 0};
    constexpr int fields = 8; // the guests' time, which follows, is included in "user"
    for (int field = 0; field < fields && ticks; ++field, ticks = stat.take_number()) {
        counters.total += *ticks;
        counters.busy += field == 3 || field == 4 ? 0 : *ticks;
    }
    counters.group_usage = FileHead(cpu_stat_).number_of("usage_usec").value_or(0) / 1e6;
    return counters;
}

double ProcSystemLoad::cpu_percent(const Counters &before, const Counters &now) const
{
    const auto machine = 100 * (now.busy - before.busy) / (now.total - before.total);
    FileHead limit(cpu_max_); // "50000 100000"; "max 100000" without a quota
    const auto quota = limit.take_number();
    const auto period = limit.take_number();
    const auto elapsed = now.uptime - before.uptime;
    if (!quota || !period || *quota <= 0 || elapsed <= 0)
        return machine;
    const auto allowed = elapsed * *quota / *period;
    return std::max(machine, 100 * (now.group_usage - before.group_usage) / allowed);
}

std::optional<double> ProcSystemLoad::memory_percent() const
{
    const auto total = FileHead(meminfo_).number_of("MemTotal:");
    const auto available = FileHead(meminfo_).number_of("MemAvailable:");
    if (!total || !available || *total <= 0)
        return std::nullopt;
    const auto machine = 100 * (1 - *available / *total);
    const auto limit = FileHead(memory_max_).take_number();
    const auto current = FileHead(memory_current_).take_number();
    if (!limit || !current || *limit <= 0)
        return machine;
    // Inactive page cache is reclaimed before the limit matters.
    const auto cache = FileHead(memory_stat_).number_of("inactive_file ").value_or(0);
    return std::max(machine, 100 * (*current - cache) / *limit);
}

} // namespace jkvm
