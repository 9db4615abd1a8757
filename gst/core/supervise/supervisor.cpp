// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/supervisor.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <system_error>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds sample_interval{1};
int to_timeout(nanoseconds time)
{
    // Nobody waits for longer than a minute at a time, so it fits an int.
    const auto left = std::clamp<nanoseconds>(time, nanoseconds(0), std::chrono::minutes(1));
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

/// The application's signals are for its own threads, and no broken error output ends it.
void block_signals()
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
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
    block_signals();
    MonotonicTime next_start{};
    while (wait_until(next_start)) {
        const auto [end, healthy] = run_child();
        if (is_stopping_)
            return;
        observer_.child_ended(end);
        const auto decision = policy_.child_ended(healthy, monotonic_now());
        if ((decision.is_limit_reached || end.is_refusal()) && !config_.retries_for_ever) {
            if (!is_asked_to_stop())
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

bool Supervisor::is_asked_to_stop() const
{
    pollfd end{end_.fd(), POLLIN, 0};
    return ::poll(&end, 1, 0) > 0;
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
        // The time in which it hung does not count.
        const auto end = watch->is_hung ? watch->last_heartbeat : monotonic_now();
        ended = {reap(*watch), watch->first_heartbeat ? end - *watch->first_heartbeat : 0ns};
    } else {
        const auto &detail = watch.error().detail;
        ended.end = {.reason = EndReason::failed, .text = "could not be started: " + detail};
    }
    count(ended.end);
    return ended;
}

/// Returns when the child has ended, or will not.
void Supervisor::follow(Watch &watch)
{
    const auto &child = *watch.child;
    enum { child_end, heartbeats, errors, our_end, count };
    std::array<pollfd, count> fds{{{child.end_fd(), POLLIN, 0},
                                   {child.heartbeats_fd(), POLLIN, 0},
                                   {child.errors_fd(), POLLIN, 0},
                                   {end_.fd(), POLLIN, 0}}};
    while (!watch.is_left) {
        if (::poll(fds.data(), fds.size(), to_timeout(next_deadline(watch) - monotonic_now())) < 0)
            continue; // EINTR
        const auto now = monotonic_now();
        if (fds[heartbeats].revents != 0 && !take_heartbeats(watch, now))
            fds[heartbeats].fd = -1;
        if (fds[errors].revents != 0 && !take_errors(watch))
            fds[errors].fd = -1;
        if (fds[our_end].revents != 0) {
            fds[our_end].fd = -1;
            is_stopping_ = true;
            child.send(SIGTERM);
            child.send(SIGCONT); // or a stopped one would not hear it
            watch.kill_at = now + config_.stop_timeout;
        }
        if (fds[child_end].revents != 0) {
            take_last_words(watch);
            return;
        }
        act(watch, now);
    }
}

bool Supervisor::take_heartbeats(Watch &watch, MonotonicTime now)
{
    std::array<char, 256> space;
    const auto count = ::read(watch.child->heartbeats_fd(), space.data(), space.size());
    if (count > 0) {
        watch.last_heartbeat = now;
        watch.first_heartbeat = watch.first_heartbeat.value_or(now);
        stats_.lock()->heartbeats += static_cast<std::uint64_t>(count);
    }
    return count != 0;
}

bool Supervisor::take_errors(Watch &watch)
{
    std::array<char, ErrorOutput::kept_bytes> space;
    const auto count = ::read(watch.child->errors_fd(), space.data(), space.size());
    if (count > 0)
        watch.errors.take({space.data(), static_cast<std::size_t>(count)});
    return count != 0;
}

/// What is in the pipe when the child has ended; a process that it started may go on writing.
void Supervisor::take_last_words(Watch &watch)
{
    constexpr std::size_t largest_pipe = 65536; // bytes
    for (std::size_t i = 0; i < largest_pipe / ErrorOutput::kept_bytes; ++i) {
        pollfd errors{watch.child->errors_fd(), POLLIN, 0};
        if (::poll(&errors, 1, 0) <= 0 || !take_errors(watch))
            return;
    }
}

/// What the time that has passed asks for.
void Supervisor::act(Watch &watch, MonotonicTime now)
{
    if (watch.leave_at) {
        watch.is_left = now >= *watch.leave_at;
    } else if (watch.kill_at) {
        if (now >= *watch.kill_at)
            kill(watch, now);
    } else if (const auto time = hangs_at(watch); time && now >= *time) {
        // Since the poll we may have been stopped ourselves.
        take_heartbeats(watch, now);
        watch.is_hung = now >= *hangs_at(watch);
        if (watch.is_hung)
            kill(watch, now);
    }
    if (now >= watch.next_sample) {
        watch.next_sample = now + sample_interval;
        sample_usage(watch, now);
    }
}

void Supervisor::kill(Watch &watch, MonotonicTime now)
{
    watch.child->send(SIGKILL);
    watch.leave_at = now + death_allowance;
}

void Supervisor::sample_usage(Watch &watch, MonotonicTime now)
{
    if (const auto usage = watch.usage.sample(now))
        stats_.lock()->usage = *usage;
}

std::optional<MonotonicTime> Supervisor::hangs_at(const Watch &watch) const
{
    const auto timeout = config_.hang_timeout;
    if (timeout == 0ns)
        return std::nullopt;
    if (!watch.first_heartbeat)
        return watch.begun + std::max(timeout, start_allowance);
    return watch.last_heartbeat + timeout;
}

MonotonicTime Supervisor::next_deadline(const Watch &watch) const
{
    const auto next = watch.leave_at  ? watch.leave_at
                      : watch.kill_at ? watch.kill_at
                                      : hangs_at(watch);
    return std::min(watch.next_sample, next.value_or(MonotonicTime::max()));
}

ChildEnd Supervisor::reap(Watch &watch)
{
    ChildEnd end{.reason = EndReason::exited,
                 .pid = watch.child->pid(),
                 .errors = watch.errors.last_lines()};
    if (watch.is_left) {
        ChildProcess::abandon(std::move(watch.child));
        end.reason = EndReason::hang;
        end.text = "hung: there was no heartbeat, and it does not die";
        return end;
    }
    end.status = watch.child->wait();
    end.text = end.status.text();
    // A crash that takes long to be written down looks like a hang at first.
    if (watch.is_hung && (end.status.signal == SIGKILL || !end.status.is_known)) {
        end.reason = EndReason::hang;
        end.text = "hung: there was no heartbeat";
    } else if (end.status.signal != 0) {
        end.reason = EndReason::killed;
    } else if (end.status.code == exit_refused) {
        end.reason = EndReason::failed;
        end.text = watch.errors.last_lines(1);
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
