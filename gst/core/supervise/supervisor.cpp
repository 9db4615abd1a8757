// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/supervisor.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <system_error>

namespace jkvm {

namespace {

constexpr std::chrono::seconds sample_interval{1};
// What is kept of a child's error output, in bytes and in lines.
constexpr std::size_t kept_bytes = 4096;
constexpr std::size_t kept_lines = 10;

int to_timeout(nanoseconds time)
{
    // Nobody waits for longer than a minute at a time, so it fits an int.
    const auto left = std::clamp<nanoseconds>(time, nanoseconds(0), std::chrono::minutes(1));
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

/// Whatever can be read now; empty also at the end of the pipe.
std::string_view read_some(int fd, std::array<char, kept_bytes> &space)
{
    const auto count = ::read(fd, space.data(), space.size());
    return {space.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

/// The child's error output stays visible: we pass it on to ours, and keep its end.
void take_errors(std::string_view text, std::string &kept)
{
    // Where ours is broken there is nobody to tell.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    kept += text;
    if (kept.size() > kept_bytes)
        kept.erase(0, kept.size() - kept_bytes);
}

std::string last_lines(std::string text, std::size_t count)
{
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    auto begin = text.size();
    for (; count > 0; --count) {
        begin = begin > 0 ? text.rfind('\n', begin - 1) : std::string::npos;
        if (begin == std::string::npos)
            return text;
    }
    return text.substr(begin + 1);
}

} // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::start(Config config, Observer &observer)
{
    const auto program = config.command.arguments.front();
    std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(config), observer));
    if (supervisor->end_.fd() < 0)
        return system_error(ErrorKind::out_of_resources, program, "eventfd", errno);
    try {
        supervisor->thread_ = std::thread(&Supervisor::run, supervisor.get());
    } catch (const std::system_error &error) {
        return system_error(ErrorKind::out_of_resources, program, "start of the thread",
                            error.code().value());
    }
    return supervisor;
}

Supervisor::~Supervisor()
{
    stop();
}

Supervisor::Stats Supervisor::stop()
{
    if (thread_.joinable()) {
        end_.set();
        thread_.join();
    }
    return stats();
}

bool Supervisor::is_child(pid_t pid) const
{
    const auto stats = stats_.lock();
    return stats->running && stats->pid == pid;
}

void Supervisor::run()
{
    MonotonicTime next_start{};
    while (wait_until(next_start)) {
        const auto [end, healthy] = run_child();
        if (is_stopping_)
            return;
        observer_.child_ended(end);
        const auto decision = policy_.child_ended(healthy, monotonic_now());
        if ((decision.is_limit_reached || end.is_refusal()) && !config_.retries_for_ever) {
            observer_.gave_up(end);
            return;
        }
        next_start = decision.start;
    }
}

bool Supervisor::wait_until(MonotonicTime time)
{
    for (;;) {
        const auto now = monotonic_now();
        pollfd end{end_.fd(), POLLIN, 0};
        if (::poll(&end, 1, to_timeout(time - now)) > 0)
            return false;
        if (now >= time)
            return true;
    }
}

Result<Supervisor::Watch> Supervisor::start_child()
{
    // The lock makes whoever asks for the pid of a child that has just come wait until it is known.
    auto stats = stats_.lock();
    stats->restarts += std::exchange(was_started_, true) ? 1 : 0;
    auto child = ChildProcess::start(config_.command);
    if (!child)
        return child.error();
    stats->running = true;
    stats->pid = (*child)->pid();
    stats->usage = {};
    return Watch(std::move(*child), monotonic_now());
}

Supervisor::Ended Supervisor::run_child()
{
    auto watch = start_child();
    Ended ended{};
    if (watch) {
        observer_.child_started(watch->child->pid());
        follow(*watch);
        const auto now = monotonic_now();
        ended = {reap(*watch), now - watch->first_heartbeat.value_or(now)};
    } else {
        const auto &detail = watch.error().detail;
        ended.end = {.reason = EndReason::failed, .text = "could not be started: " + detail};
    }
    count(ended.end);
    return ended;
}

/// Returns when the child has ended.
void Supervisor::follow(Watch &watch)
{
    const auto &child = *watch.child;
    enum { child_end, heartbeats, errors, our_end, count };
    std::array<pollfd, count> fds{{{child.end_fd(), POLLIN, 0},
                                   {child.heartbeats_fd(), POLLIN, 0},
                                   {child.errors_fd(), POLLIN, 0},
                                   {end_.fd(), POLLIN, 0}}};
    std::array<char, kept_bytes> space;
    for (;;) {
        if (::poll(fds.data(), fds.size(), to_timeout(next_deadline(watch) - monotonic_now())) < 0)
            continue; // EINTR
        const auto now = monotonic_now();
        if (fds[heartbeats].revents != 0) {
            const auto count = read_some(fds[heartbeats].fd, space).size();
            if (count == 0)
                fds[heartbeats].fd = -1; // closed
            else
                take_heartbeats(watch, count, now);
        }
        bool has_said_all = true;
        if (fds[errors].revents != 0) {
            const auto text = read_some(fds[errors].fd, space);
            take_errors(text, watch.errors);
            has_said_all = text.empty();
            if (has_said_all)
                fds[errors].fd = -1; // closed
        }
        // Its last words come before its end. That the pipe is closed is not waited for: a process
        // that it started may have it too.
        if (fds[child_end].revents != 0 && has_said_all)
            return;
        if (fds[our_end].revents != 0) {
            fds[our_end].fd = -1;
            is_stopping_ = true;
            child.send(SIGTERM);
            child.send(SIGCONT); // or a stopped one would not hear it
            watch.kill_at = now + config_.stop_timeout;
        }
        act(watch, now);
    }
}

void Supervisor::take_heartbeats(Watch &watch, std::size_t count, MonotonicTime now)
{
    watch.last_heartbeat = now;
    watch.first_heartbeat = watch.first_heartbeat.value_or(now);
    stats_.lock()->heartbeats += count;
}

/// What the time that has passed asks for.
void Supervisor::act(Watch &watch, MonotonicTime now)
{
    if (watch.kill_at) {
        if (now >= *watch.kill_at) {
            watch.child->send(SIGKILL);
            watch.kill_at = MonotonicTime::max();
        }
    } else if (const auto time = hangs_at(watch); time && now >= *time) {
        watch.is_hung = true;
        watch.child->send(SIGKILL);
    }
    if (now >= watch.next_sample) {
        watch.next_sample = now + sample_interval;
        sample_usage(watch, now);
    }
}

void Supervisor::sample_usage(Watch &watch, MonotonicTime now)
{
    if (const auto usage = watch.usage.sample(now))
        stats_.lock()->usage = *usage;
}

std::optional<MonotonicTime> Supervisor::hangs_at(const Watch &watch) const
{
    const auto timeout = config_.hang_timeout;
    if (timeout == nanoseconds(0) || watch.is_hung)
        return std::nullopt;
    if (!watch.first_heartbeat)
        return watch.begun + std::max(timeout, start_allowance);
    return watch.last_heartbeat + timeout;
}

MonotonicTime Supervisor::next_deadline(const Watch &watch) const
{
    const auto kill = watch.kill_at ? watch.kill_at : hangs_at(watch);
    return std::min(watch.next_sample, kill.value_or(MonotonicTime::max()));
}

ChildEnd Supervisor::reap(Watch &watch)
{
    ChildEnd end{.reason = EndReason::exited,
                 .pid = watch.child->pid(),
                 .status = watch.child->wait(),
                 .errors = last_lines(watch.errors, kept_lines)};
    end.text = end.status.text();
    if (watch.is_hung) {
        end.reason = EndReason::hang;
        end.text = "hung: there was no heartbeat";
    } else if (end.status.signal != 0) {
        end.reason = EndReason::killed;
    } else if (end.status.code == exit_refused) {
        end.reason = EndReason::failed;
        end.text = last_lines(watch.errors, 1);
    }
    return end;
}

void Supervisor::count(const ChildEnd &end)
{
    auto stats = stats_.lock();
    stats->running = false;
    stats->pid = 0;
    stats->usage = {};
    stats->last_exit = is_stopping_ ? "stopped" : end.text;
    if (is_stopping_)
        return;
    switch (end.reason) {
    case EndReason::exited:
        ++stats->exits;
        break;
    case EndReason::killed:
        ++stats->kills;
        break;
    case EndReason::hang:
        ++stats->hangs;
        break;
    case EndReason::failed:
        ++stats->failures;
        break;
    }
}

} // namespace jkvm
