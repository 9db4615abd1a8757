// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps a child process running: the engine of jkvmsupervisedsrc and jkvmsupervisedsink.
#pragma once

#include "core/base/guarded.h"
#include "core/base/token_bucket.h"
#include "core/base/wake_event.h"
#include "core/supervise/child_process.h"
#include "core/supervise/control_connection.h"
#include "core/supervise/error_output.h"
#include "core/supervise/process_usage.h"
#include "core/supervise/restart_policy.h"

#include <poll.h>

#include <cstdint>
#include <optional>
#include <string>
#include <thread>

namespace jkvm {

enum class ExitReason {
    exited,      ///< returned from main(), with any status
    killed,      ///< ended by a signal: a crash, or a kill by another process
    hang,        ///< killed by the supervisor because heartbeats were missing
    failed,      ///< a temporary failure to start
    unstartable, ///< the program is missing or cannot be executed
    replaced,    ///< stopped by the supervisor, which was given another command
    refused,     ///< the program ran and reported that its command line cannot work
};

/// How a child ended that was not stopped deliberately.
struct ChildExit {
    ExitReason reason;
    pid_t pid = 0; ///< 0 if no process was created
    ExitStatus status;
    std::string program; ///< of the command
    std::string text;    ///< "was killed by signal 11 (Segmentation fault)"
    std::string errors;  ///< the last lines of its error output

    /// Whether another attempt with the same command line must fail as well.
    [[nodiscard]] bool is_permanent() const
    {
        return reason == ExitReason::unstartable || reason == ExitReason::refused;
    }
};

/// Runs a thread that starts the child, monitors its heartbeats, reaps it and restarts it. The
/// child dies with that thread.
class Supervisor {
public:
    /// Exit status of a child whose command line can never work. The last line of its error output
    /// is the reason.
    static constexpr int exit_refused = 78; // EX_CONFIG of sysexits.h, which no library uses
    /// Minimum time that a child has until its first heartbeat; a longer hang time-out replaces it.
    static constexpr nanoseconds start_allowance = std::chrono::seconds(10);
    /// Time that a killed child has to die. A child that is blocked in the kernel for longer is
    /// abandoned, and another one is started.
    static constexpr nanoseconds death_allowance = std::chrono::seconds(2);

    struct Config {
        ChildCommand command;
        RestartLimits limits;
        nanoseconds hang_timeout = std::chrono::seconds(2); ///< without a heartbeat; 0 = disabled
        nanoseconds stop_timeout = std::chrono::seconds(5); ///< from SIGTERM to SIGKILL
        bool retries_endlessly = false; ///< instead of giving up at the limit of restarts
    };

    /// Maximum rate of control messages that are read from a child, and the size of a burst. The
    /// kernel bounds the number of those that wait.
    static constexpr unsigned max_control_rate = 1000; // per second
    static constexpr unsigned max_control_burst = 500;

    /// Called from the supervisor's thread without a lock. Must not stop the supervisor, which
    /// waits for that thread.
    class Observer {
    public:
        virtual ~Observer() = default;
        virtual void on_child_started(pid_t pid) = 0;
        virtual void on_child_ended(const ChildExit &exit) = 0;
        /// Returns false if the message is none that a child sends.
        virtual bool on_control_message(const ControlMessage &) { return true; }
        /// The child has sent something else than messages; it is not read from any longer.
        virtual void on_control_violation() {}
        /// Called once a second while a child runs.
        virtual void on_sample() {}
        /// No further child will be started.
        virtual void on_gave_up(const ChildExit &exit) = 0;
    };

    /// Counters are monotonic for the supervisor's lifetime.
    struct Stats {
        bool running = false;
        pid_t pid = 0;                ///< 0 while no child runs
        std::uint64_t restarts = 0;   ///< children started after the first
        std::uint64_t exits = 0;      ///< children that exited
        std::uint64_t kills = 0;      ///< children ended by a signal not sent by the supervisor
        std::uint64_t hangs = 0;      ///< children killed because heartbeats were missing
        std::uint64_t failures = 0;   ///< children that could not be started or refused to run
        std::uint64_t heartbeats = 0; ///< received
        std::string last_exit;        ///< how the last child ended; empty at first
        ProcessUsage usage;           ///< of the running child, sampled once a second
    };

    /// `control` is connected with the child while one runs. Error: `out_of_resources`. The
    /// observer and the connection must outlive the supervisor.
    static Result<std::unique_ptr<Supervisor>> start(Config config, Observer &observer,
                                                     ControlConnection &control);
    Supervisor(const Supervisor &) = delete;
    Supervisor &operator=(const Supervisor &) = delete;
    ~Supervisor();

    /// Whether `pid` is the running child.
    [[nodiscard]] bool is_child(pid_t pid) const;
    [[nodiscard]] Stats stats() const { return stats_.snapshot(); }
    /// Stops the running child as stop() does, and starts one with another command at once. Does
    /// not block. Has no effect after on_gave_up().
    void replace(ChildCommand command);
    /// Sends SIGTERM to the child, SIGKILL after the stop time-out, and returns the final
    /// statistics. Blocks for at most that time-out and the death allowance.
    Stats stop();
    /// Lets the thread end as stop() does, but does not wait for it.
    void request_stop() { stop_event_.set(); }
    /// Whether the caller is the supervisor's thread, which must not wait for itself.
    [[nodiscard]] bool is_own_thread() const
    {
        return thread_.get_id() == std::this_thread::get_id();
    }

private:
    /// The running child and its deadlines.
    struct RunningChild {
        RunningChild(std::unique_ptr<ChildProcess> started, MonotonicTime now)
            : child(std::move(started)), usage(child->pid()), started_at(now)
        {}
        std::unique_ptr<ChildProcess> child;
        UsageMeter usage;
        MonotonicTime started_at;
        std::optional<MonotonicTime> first_heartbeat;
        MonotonicTime last_heartbeat{};
        MonotonicTime next_sample{};
        std::optional<MonotonicTime> kill_at;    // set with SIGTERM
        std::optional<MonotonicTime> abandon_at; // set with SIGKILL
        bool is_hung = false;
        bool is_replaced = false;
        bool is_abandoned = false;
        ErrorOutput errors;
        TokenBucket control_limit{max_control_rate, max_control_burst};
    };
    /// Input of the restart policy for a child that has ended.
    struct Run {
        ChildExit exit;
        nanoseconds healthy; // time since the first heartbeat
    };

    Supervisor(Config config, Observer &observer, ControlConnection &control)
        : config_(std::move(config)), observer_(observer), control_(control),
          policy_(config_.limits)
    {}

    void run();
    /// Uses the command of replace(); returns false if there is none.
    bool take_replacement();
    /// Returns early with true if the command was replaced. Returns false if the supervisor is to
    /// stop.
    bool wait_until(MonotonicTime time);
    [[nodiscard]] bool is_stop_requested() const;
    Result<RunningChild> start_child();
    /// Starts a child and returns after its end.
    Run run_child();
    /// Returns when the child has ended or is abandoned.
    void monitor(RunningChild &running);
    /// Returns false if the child has closed the pipe.
    bool read_heartbeats(RunningChild &running, MonotonicTime now);
    /// Returns false if the child has closed the pipe.
    static bool read_errors(RunningChild &running);
    static void drain_errors(RunningChild &running);
    [[nodiscard]] pollfd control_poll(const RunningChild &running);
    /// Reads some of the messages that the child has sent, as far as their rate is admitted.
    void read_control(RunningChild &running, MonotonicTime now);
    /// Reads the rest of the ended child's messages, unless the supervisor is to stop.
    void drain_control();
    /// Returns false if there is no message, or if the connection was closed.
    bool read_control_message();
    void terminate(RunningChild &running, MonotonicTime now) const;
    void handle_deadlines(RunningChild &running, MonotonicTime now);
    static void kill(RunningChild &running, MonotonicTime now);
    void sample_usage(RunningChild &running, MonotonicTime now);
    [[nodiscard]] std::optional<MonotonicTime> hang_deadline(const RunningChild &running) const;
    [[nodiscard]] MonotonicTime next_deadline(const RunningChild &running) const;
    ChildExit reap(RunningChild &running);
    [[nodiscard]] ChildExit start_failure(const Error &error) const;
    void count(const ChildExit &exit);

    Config config_;
    Observer &observer_;
    ControlConnection &control_;
    RestartPolicy policy_;
    WakeEvent stop_event_;
    WakeEvent replace_event_; // set while replacement_ has a value
    Guarded<std::optional<ChildCommand>> replacement_;
    bool is_stopping_ = false; // supervisor's thread
    bool has_started_ = false; // a first child; supervisor's thread
    Guarded<Stats> stats_;
    std::thread thread_;
};

} // namespace jkvm
