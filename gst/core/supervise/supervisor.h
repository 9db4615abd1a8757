// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps a child process running: the engine of jkvmsupervisedsrc and jkvmsupervisedsink.
#pragma once

#include "core/base/guarded.h"
#include "core/base/wake_event.h"
#include "core/supervise/child_process.h"
#include "core/supervise/error_output.h"
#include "core/supervise/process_usage.h"
#include "core/supervise/restart_policy.h"

#include <optional>
#include <string>
#include <thread>

namespace jkvm {

enum class EndReason {
    exited, ///< by itself, with whatever status
    killed, ///< by a signal: a crash, or somebody's kill
    hang,   ///< it gave no heartbeat, and we killed it
    failed, ///< it could not be started, or cannot do what it was started for
};

/// How a child that was not meant to end has ended.
struct ChildEnd {
    EndReason reason;
    pid_t pid = 0; ///< 0 if there never was one
    ExitStatus status;
    std::string text;   ///< "was killed by signal 11 (Segmentation fault)"
    std::string errors; ///< the last lines that it wrote to its error output

    /// It ran, and said that it cannot do what it was started for: another try would be in vain.
    [[nodiscard]] bool is_refusal() const { return reason == EndReason::failed && pid != 0; }
};

/// One thread of its own: it starts the children, which die with it, waits for what they do, and
/// reaps them.
class Supervisor {
public:
    /// The exit status of a child that cannot do what it was started for, now or later. The last
    /// line of its error output says why.
    static constexpr int exit_refused = 78; // EX_CONFIG of sysexits.h; no library ends with it
    /// How long a child may take to its first heartbeat, if the hang time-out is not longer.
    static constexpr nanoseconds start_allowance = std::chrono::seconds(10);
    /// How long a killed child may take to die. One that waits in the kernel for a device is left
    /// to itself then, and another one is started.
    static constexpr nanoseconds death_allowance = std::chrono::seconds(2);

    struct Config {
        ChildCommand command;
        RestartLimits limits;
        nanoseconds hang_timeout = std::chrono::seconds(2); ///< without a heartbeat; 0 = for ever
        nanoseconds stop_timeout = std::chrono::seconds(5); ///< from SIGTERM to SIGKILL
        bool retries_for_ever = false;                      ///< or gives up at the limit
    };

    /// Called from the supervisor's thread with no lock held. Must not stop the supervisor: that
    /// waits for the thread.
    class Observer {
    public:
        virtual ~Observer() = default;
        virtual void child_started(pid_t pid) = 0;
        virtual void child_ended(const ChildEnd &end) = 0;
        /// There will be no child any more.
        virtual void gave_up(const ChildEnd &end) = 0;
    };

    /// Every counter only grows while the supervisor lives.
    struct Stats {
        bool running = false;
        pid_t pid = 0;                ///< 0 while none runs
        std::uint64_t restarts = 0;   ///< children started after the first
        std::uint64_t exits = 0;      ///< ended by themselves
        std::uint64_t kills = 0;      ///< ended by a signal that was not ours
        std::uint64_t hangs = 0;      ///< killed by us, because they gave no heartbeat
        std::uint64_t failures = 0;   ///< could not be started
        std::uint64_t heartbeats = 0; ///< received
        std::string last_exit;        ///< how the last one ended; empty at first
        ProcessUsage usage;           ///< of the one that runs; sampled once a second
    };

    /// Error: `out_of_resources`. The observer outlives the supervisor.
    static Result<std::unique_ptr<Supervisor>> start(Config config, Observer &observer);
    Supervisor(const Supervisor &) = delete;
    Supervisor &operator=(const Supervisor &) = delete;
    ~Supervisor();

    /// Whether this is the child that runs now.
    [[nodiscard]] bool is_child(pid_t pid) const;
    [[nodiscard]] Stats stats() const { return stats_.snapshot(); }
    /// Asks the child to end, and kills it after the stop time-out. The last statistics. Takes no
    /// longer than that time-out and the death allowance.
    Stats stop();

private:
    /// The child that runs, and what is known of it.
    struct Watch {
        Watch(std::unique_ptr<ChildProcess> started, MonotonicTime now)
            : child(std::move(started)), usage(child->pid()), begun(now)
        {}
        std::unique_ptr<ChildProcess> child;
        UsageMeter usage;
        MonotonicTime begun;
        std::optional<MonotonicTime> first_heartbeat;
        MonotonicTime last_heartbeat{};
        MonotonicTime next_sample{};
        std::optional<MonotonicTime> kill_at;  // once it was asked to end
        std::optional<MonotonicTime> leave_at; // once it was killed
        bool is_hung = false;
        bool is_left = false; // it does not die
        ErrorOutput errors;
    };
    struct Ended {
        ChildEnd end;
        nanoseconds healthy; // from the first heartbeat on
    };

    Supervisor(Config config, Observer &observer)
        : config_(std::move(config)), observer_(observer), policy_(config_.limits)
    {}

    void run();
    /// False when the supervisor is to stop.
    bool wait_until(MonotonicTime time);
    [[nodiscard]] bool is_asked_to_stop() const;
    Result<Watch> start_child();
    /// From its start to its end.
    Ended run_child();
    void follow(Watch &watch);
    /// False when the child has closed the pipe.
    bool take_heartbeats(Watch &watch, MonotonicTime now);
    /// False when the child has closed the pipe.
    static bool take_errors(Watch &watch);
    static void take_last_words(Watch &watch);
    void act(Watch &watch, MonotonicTime now);
    static void kill(Watch &watch, MonotonicTime now);
    void sample_usage(Watch &watch, MonotonicTime now);
    [[nodiscard]] std::optional<MonotonicTime> hangs_at(const Watch &watch) const;
    [[nodiscard]] MonotonicTime next_deadline(const Watch &watch) const;
    ChildEnd reap(Watch &watch);
    void count(const ChildEnd &end);

    Config config_;
    Observer &observer_;
    RestartPolicy policy_;
    WakeEvent end_;
    bool is_stopping_ = false; // of the thread
    bool was_started_ = false; // a first child
    Guarded<Stats> stats_;
    std::thread thread_;
};

} // namespace jkvm
