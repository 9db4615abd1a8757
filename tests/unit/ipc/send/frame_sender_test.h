// SPDX-License-Identifier: LGPL-2.1-or-later
// Fixture of the tests of FrameSender.
#pragma once

#include "core/ipc/send/frame_sender.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace jkvm {

/// Records the events of a sender.
class FrameSenderObserver final : public FrameSender::Observer {
public:
    struct Event {
        std::uint64_t id;
        std::optional<RemovalReason> removal; // none: added
        std::string detail;
        bool has_stopped = false;
        pid_t replaced_by = 0;
    };

    bool may_connect(const PeerInfo &) override { return !is_refusing; }
    void on_peer_added(const PeerInfo &client) override { note({client.id, {}, {}}); }
    void on_peer_removed(const PeerTable::Removal &removal) override
    {
        note({removal.peer.id, removal.reason, removal.detail, removal.has_stopped,
              removal.replaced_by ? removal.replaced_by->pid : 0});
    }
    void on_peer_unreachable(const Error &error) override { note({0, {}, error.detail}); }
    void on_encoder_request(const std::optional<wire::SettingsRequest> &request) override
    {
        {
            const std::lock_guard lock(mutex_);
            last_request_ = request;
        }
        const auto bitrate = request ? request->config.bitrate.value_or(0) : 0;
        note({0, {}, request ? "bitrate " + std::to_string(bitrate) : "withdrawn"});
    }
    std::optional<wire::SettingsRequest> last_request()
    {
        const std::lock_guard lock(mutex_);
        return last_request_;
    }
    std::atomic<bool> is_refusing{false};

    /// Waits for the `count`-th event and returns it.
    Event event(std::size_t count)
    {
        std::unique_lock lock(mutex_);
        const bool has_event =
            changed_.wait_for(lock, testing::wait_timeout, [&] { return events_.size() > count; });
        return has_event ? events_[count] : Event{0, {}, "nothing happened"};
    }

private:
    void note(Event event)
    {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Event> events_;
    std::optional<wire::SettingsRequest> last_request_;
};

class FrameSenderTest : public ::testing::Test {
protected:
    FrameSenderTest()
    {
        config_.endpoint.path = directory_.file("a.sock");
        config_.max_clients = 3;
        config_.max_queue_time = std::chrono::milliseconds(100);
    }

    void start()
    {
        auto server = FrameSender::start(config_, observer_);
        ASSERT_TRUE(server) << server.error().detail;
        sender_ = std::move(*server);
    }
    /// Connects a client and waits until the server has accepted it.
    UniqueFd add_client()
    {
        auto fd = testing::connect_to(config_.endpoint.path);
        EXPECT_FALSE(observer_.event(events_++).removal);
        return fd;
    }
    void send(const std::string &text, nanoseconds duration = std::chrono::milliseconds(20))
    {
        sender_->send(std::as_bytes(std::span(text)), WallTime(nanoseconds(1234567890123456789)),
                      duration);
    }

    testing::TemporaryDirectory directory_;
    FrameSender::Config config_;
    FrameSenderObserver observer_;
    std::size_t events_ = 0;
    std::unique_ptr<FrameSender> sender_;
};

} // namespace jkvm
