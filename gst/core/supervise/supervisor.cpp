// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/supervisor.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds sample_interval{1};

/// Converts a time for poll(); callers loop, so an upper bound of a minute keeps it within an int.
int to_timeout(nanoseconds time)
{
    const auto bounded = std::clamp<nanoseconds>(time, nanoseconds(0), std::chrono::minutes(1));
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(bounded).count());
}

/// Leaves the application's signals to its own threads, and makes a broken error output harmless.
void block_signals()
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

} // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::start(Config config, Observer &observer,
                                                      ControlConnection &control)
{
    const auto program = config.command.arguments.front();
    std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(config), observer, control));
    if (supervisor->stop_event_.fd() < 0 || supervisor->replace_event_.fd() < 0 ||
        control.wake_fd() < 0)
        return system_error(ErrorKind::out_of_resources, program, "eventfd", errno);
    try {
        supervisor->thread_ = std::thread(&Supervisor::run, supervisor.get());
    } catch (const std::system_error &error) {
        return system_error(ErrorKind::out_of_resources, program, "pthread_create",
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
        stop_event_.set();
        thread_.join();
    }
    return stats();
}

void Supervisor::replace(ChildCommand command)
{
    *replacement_.lock() = std::move(command);
    replace_event_.set();
}

bool Supervisor::take_replacement()
{
    replace_event_.clear();
    auto replacement = std::exchange(*replacement_.lock(), std::nullopt);
    if (replacement)
        config_.command = std::move(*replacement);
    return replacement.has_value();
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
        const auto [exit, healthy] = run_child();
        if (is_stopping_)
            return;
        observer_.on_child_ended(exit);
        if (take_replacement()) {
            next_start = {};
            continue;
        }
        const auto decision = policy_.on_child_ended(healthy, monotonic_now());
        if ((decision.is_limit_reached || exit.is_permanent()) && !config_.retries_endlessly) {
            if (!is_stop_requested())
                observer_.on_gave_up(exit);
            return;
        }
        next_start = decision.start;
    }
}

bool Supervisor::wait_until(MonotonicTime time)
{
    for (;;) {
        const auto now = monotonic_now();
        std::array<pollfd, 2> events{
            {{stop_event_.fd(), POLLIN, 0}, {replace_event_.fd(), POLLIN, 0}}};
        ::poll(events.data(), events.size(), to_timeout(time - now));
        if (events[0].revents != 0)
            return false;
        if (take_replacement() || now >= time)
            return true;
    }
}

bool Supervisor::is_stop_requested() const
{
    pollfd stop{stop_event_.fd(), POLLIN, 0};
    return ::poll(&stop, 1, 0) > 0;
}

Result<Supervisor::RunningChild> Supervisor::start_child()
{
    // The lock is held until the new pid is stored, so that is_child() waits for it.
    auto stats = stats_.lock();
    stats->restarts += std::exchange(has_started_, true) ? 1 : 0;
    auto child = ChildProcess::start(config_.command);
    if (!child)
        return child.error();
    control_.open((*child)->take_control());
    stats->running = true;
    stats->pid = (*child)->pid();
    stats->usage = {};
    return RunningChild(std::move(*child), monotonic_now());
}

Supervisor::Run Supervisor::run_child()
{
    auto running = start_child();
    Run run{};
    if (running) {
        observer_.on_child_started(running->child->pid());
        monitor(*running);
        // A hung child was healthy until its last heartbeat.
        const auto end = running->is_hung ? running->last_heartbeat : monotonic_now();
        control_.close();
        run = {reap(*running), running->first_heartbeat ? end - *running->first_heartbeat : 0ns};
    } else {
        run.exit = start_failure(running.error());
    }
    count(run.exit);
    return run;
}

void Supervisor::monitor(RunningChild &running)
{
    const auto &child = *running.child;
    enum { child_end, heartbeats, errors, stop, replacement, control, queued, count };
    std::array<pollfd, count> fds{{{child.end_fd(), POLLIN, 0},
                                   {child.heartbeats_fd(), POLLIN, 0},
                                   {child.errors_fd(), POLLIN, 0},
                                   {stop_event_.fd(), POLLIN, 0},
                                   {replace_event_.fd(), POLLIN, 0},
                                   {-1, 0, 0},
                                   {control_.wake_fd(), POLLIN, 0}}};
    while (!running.is_abandoned) {
        fds[control] = control_poll(running);
        if (::poll(fds.data(), fds.size(), to_timeout(next_deadline(running) - monotonic_now())) <
            0)
            continue; // EINTR
        const auto now = monotonic_now();
        if (fds[heartbeats].revents != 0 && !read_heartbeats(running, now))
            fds[heartbeats].fd = -1;
        if (fds[errors].revents != 0 && !read_errors(running))
            fds[errors].fd = -1;
        if (fds[stop].revents != 0) {
            fds[stop].fd = -1;
            is_stopping_ = true;
            terminate(running, now);
        }
        if (fds[replacement].revents != 0) {
            fds[replacement].fd = -1;
            running.is_replaced = true;
            terminate(running, now);
        }
        if (fds[control].revents != 0 || fds[child_end].revents != 0)
            read_control(running, now);
        if (fds[child_end].revents != 0) {
            drain_errors(running);
            drain_control();
            return;
        }
        handle_deadlines(running, now);
    }
}

/// Flushes the queued messages, and returns what to wait for at the connection.
pollfd Supervisor::control_poll(const RunningChild &running)
{
    const auto writable = control_.flush() ? 0 : POLLOUT;
    const auto readable = running.control_limit.has_room(monotonic_now()) ? POLLIN : 0;
    const auto events = static_cast<short>(writable | readable);
    return {events != 0 ? control_.fd() : -1, events, 0}; // poll() always reports a closed end
}

void Supervisor::read_control(RunningChild &running, MonotonicTime now)
{
    // Large messages take long; the other descriptors must not wait for a whole burst.
    constexpr int max_batch = 16;
    for (int i = 0; i < max_batch && running.control_limit.admit(now); ++i)
        if (!read_control_message())
            return;
}

void Supervisor::drain_control()
{
    // The kernel bounds their number, but not if a process that the child started goes on sending.
    for (unsigned i = 0; i < max_control_burst && !is_stop_requested(); ++i)
        if (!read_control_message())
            return;
}

bool Supervisor::read_control_message()
{
    using Received = ControlConnection::Received;
    if (control_.fd() < 0)
        return false;
    ControlMessage message;
    auto received = control_.receive(message);
    if (received == Received::nothing)
        return false;
    if (received == Received::message && !observer_.on_control_message(message))
        received = Received::invalid;
    if (received == Received::invalid)
        observer_.on_control_violation();
    if (received != Received::message)
        control_.close();
    return received == Received::message;
}

void Supervisor::terminate(RunningChild &running, MonotonicTime now) const
{
    running.child->send(SIGTERM);
    running.child->send(SIGCONT); // a stopped child handles SIGTERM only then
    running.kill_at = running.kill_at.value_or(now + config_.stop_timeout);
}

bool Supervisor::read_heartbeats(RunningChild &running, MonotonicTime now)
{
    std::array<char, 256> bytes;
    const auto count = ::read(running.child->heartbeats_fd(), bytes.data(), bytes.size());
    if (count > 0) {
        running.last_heartbeat = now;
        running.first_heartbeat = running.first_heartbeat.value_or(now);
        stats_.lock()->heartbeats += static_cast<std::uint64_t>(count);
    }
    return count != 0;
}

bool Supervisor::read_errors(RunningChild &running)
{
    std::array<char, ErrorOutput::kept_bytes> text;
    const auto count = ::read(running.child->errors_fd(), text.data(), text.size());
    if (count > 0)
        running.errors.append({text.data(), static_cast<std::size_t>(count)});
    return count != 0;
}

/// Reads the rest of the ended child's error output. Bounded, because a process that the child
/// started may go on writing.
void Supervisor::drain_errors(RunningChild &running)
{
    constexpr std::size_t max_pipe_size = 65536; // bytes
    for (std::size_t i = 0; i < max_pipe_size / ErrorOutput::kept_bytes; ++i) {
        pollfd errors{running.child->errors_fd(), POLLIN, 0};
        if (::poll(&errors, 1, 0) <= 0 || !read_errors(running))
            return;
    }
}

void Supervisor::handle_deadlines(RunningChild &running, MonotonicTime now)
{
    if (running.abandon_at) {
        running.is_abandoned = now >= *running.abandon_at;
    } else if (running.kill_at) {
        if (now >= *running.kill_at)
            kill(running, now);
    } else if (const auto deadline = hang_deadline(running); deadline && now >= *deadline) {
        // Heartbeats may be waiting in the pipe if this process itself was stopped since poll().
        read_heartbeats(running, now);
        running.is_hung = now >= *hang_deadline(running);
        if (running.is_hung)
            kill(running, now);
    }
    if (now >= running.next_sample) {
        running.next_sample = now + sample_interval;
        sample_usage(running, now);
        observer_.on_sample();
    }
}

void Supervisor::kill(RunningChild &running, MonotonicTime now)
{
    running.child->send(SIGKILL);
    running.abandon_at = now + death_allowance;
}

void Supervisor::sample_usage(RunningChild &running, MonotonicTime now)
{
    if (const auto usage = running.usage.sample(now))
        stats_.lock()->usage = *usage;
}

std::optional<MonotonicTime> Supervisor::hang_deadline(const RunningChild &running) const
{
    const auto timeout = config_.hang_timeout;
    if (timeout == 0ns)
        return std::nullopt;
    if (!running.first_heartbeat)
        return running.started_at + std::max(timeout, start_allowance);
    return running.last_heartbeat + timeout;
}

MonotonicTime Supervisor::next_deadline(const RunningChild &running) const
{
    const auto next = running.abandon_at ? running.abandon_at
                      : running.kill_at  ? running.kill_at
                                         : hang_deadline(running);
    const auto now = monotonic_now();
    const auto limit = running.control_limit;
    const auto readable = limit.has_room(now) ? MonotonicTime::max() : limit.next(now);
    return std::min({running.next_sample, readable, next.value_or(MonotonicTime::max())});
}

ChildExit Supervisor::start_failure(const Error &error) const
{
    return {.reason = error.kind == ErrorKind::child_unstartable ? ExitReason::unstartable
                                                                 : ExitReason::failed,
            .program = config_.command.arguments.front(),
            .text = "could not be started: " + error.detail};
}

ChildExit Supervisor::reap(RunningChild &running)
{
    ChildExit exit{.reason = ExitReason::exited,
                   .pid = running.child->pid(),
                   .program = config_.command.arguments.front(),
                   .errors = running.errors.last_lines()};
    if (running.is_abandoned) {
        ChildProcess::abandon(std::move(running.child));
        exit.reason = ExitReason::hang;
        exit.text = "hung: it sent no heartbeat, and does not die";
        return exit;
    }
    exit.status = running.child->wait();
    exit.text = exit.status.text();
    if (running.is_replaced) {
        exit.reason = ExitReason::replaced;
        exit.text = "was replaced";
        return exit;
    }
    // A child that crashed and is still writing its core dump sends no heartbeat either; its own
    // signal tells the two apart.
    if (running.is_hung && (exit.status.signal == SIGKILL || !exit.status.is_known)) {
        exit.reason = ExitReason::hang;
        exit.text = "hung: it sent no heartbeat";
    } else if (exit.status.signal != 0) {
        exit.reason = ExitReason::killed;
    } else if (exit.status.code == exit_refused) {
        exit.reason = ExitReason::refused;
        exit.text = running.errors.last_lines(1);
    }
    return exit;
}

void Supervisor::count(const ChildExit &exit)
{
    auto stats = stats_.lock();
    stats->running = false;
    stats->pid = 0;
    stats->usage = {};
    stats->last_exit = is_stopping_ ? "stopped" : exit.text;
    if (is_stopping_)
        return;
    switch (exit.reason) {
    case ExitReason::exited:
        ++stats->exits;
        break;
    case ExitReason::killed:
        ++stats->kills;
        break;
    case ExitReason::hang:
        ++stats->hangs;
        break;
    case ExitReason::replaced:
        break;
    case ExitReason::failed:
    case ExitReason::unstartable:
    case ExitReason::refused:
        ++stats->failures;
        break;
    }
}

} // namespace jkvm
