// SPDX-License-Identifier: LGPL-2.1-or-later
// Fixture of tests of the supervisor, with shell scripts as children.
#pragma once

#include "core/supervise/supervisor.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace jkvm::testing {

using namespace std::chrono_literals;

class RecordingObserver final : public Supervisor::Observer {
public:
    struct Calls {
        std::vector<pid_t> started;
        std::vector<ChildExit> ended;
        std::optional<ChildExit> gave_up;
    };

    void on_child_started(pid_t pid) override
    {
        note([pid](Calls &calls) { calls.started.push_back(pid); });
    }
    void on_child_ended(const ChildExit &exit) override
    {
        note([&exit](Calls &calls) { calls.ended.push_back(exit); });
    }
    void on_gave_up(const ChildExit &exit) override
    {
        note([&exit](Calls &calls) { calls.gave_up = exit; });
    }

    /// Blocks until the condition holds and returns all calls so far.
    Calls wait_for(const std::function<bool(const Calls &)> &condition)
    {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, wait_timeout, [&] { return condition(calls_); }))
            << "timed out";
        return calls_;
    }
    Calls wait_for_starts(std::size_t count)
    {
        return wait_for([count](const Calls &calls) { return calls.started.size() >= count; });
    }
    Calls wait_for_ends(std::size_t count)
    {
        return wait_for([count](const Calls &calls) { return calls.ended.size() >= count; });
    }
    Calls wait_for_gave_up()
    {
        return wait_for([](const Calls &calls) { return calls.gave_up.has_value(); });
    }

private:
    void note(const std::function<void(Calls &)> &change)
    {
        const std::lock_guard lock(mutex_);
        change(calls_);
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Calls calls_;
};

/// Restarts without delays, which test_restart_policy tests.
class Supervision : public ::testing::Test {
protected:
    void start(const std::string &script)
    {
        config_.command = {{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}};
        start_command();
    }
    void start_command()
    {
        config_.limits.delay = 0s;
        config_.limits.max_delay = 0s;
        auto started = Supervisor::start(config_, observer_, control_);
        ASSERT_TRUE(started);
        supervisor_ = std::move(*started);
    }
    void wait_for_heartbeat()
    {
        const auto deadline = monotonic_now() + wait_timeout;
        while (supervisor_->stats().heartbeats == 0 && monotonic_now() < deadline)
            std::this_thread::yield();
        EXPECT_GT(supervisor_->stats().heartbeats, 0u);
    }

    Supervisor::Config config_;
    RecordingObserver observer_;
    ControlConnection control_;
    std::unique_ptr<Supervisor> supervisor_; // destroyed before the observer
};

inline constexpr const char *healthy = "printf x >&3; exec sleep 1000";

} // namespace jkvm::testing
