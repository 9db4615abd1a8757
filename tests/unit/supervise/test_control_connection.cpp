// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/control_connection.h"

#include "supervision.h"

#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <random>

namespace jkvm {
namespace {

using Received = ControlConnection::Received;

bool is_readable(int fd)
{
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

class Connection : public ::testing::Test {
protected:
    Connection()
    {
        auto pair = ControlConnection::make_pair();
        EXPECT_TRUE(pair);
        parent_.open(std::move(pair->parent));
        child_.open(std::move(pair->child));
    }
    ControlConnection parent_;
    ControlConnection child_;
    ControlMessage message_;
};

TEST_F(Connection, CarriesMessagesInBothDirections)
{
    const ControlMessage down{1, {"a", "", "b\nc"}};
    const ControlMessage up{200, {}};
    EXPECT_EQ(child_.receive(message_), Received::nothing);
    EXPECT_TRUE(parent_.send(down));
    EXPECT_TRUE(child_.send(up));
    EXPECT_TRUE(is_readable(parent_.wake_fd()));
    EXPECT_TRUE(parent_.flush());
    EXPECT_TRUE(child_.flush());
    EXPECT_FALSE(is_readable(parent_.wake_fd()));
    EXPECT_EQ(child_.receive(message_), Received::message);
    EXPECT_EQ(message_, down);
    EXPECT_EQ(parent_.receive(message_), Received::message);
    EXPECT_EQ(message_, up);
}

TEST_F(Connection, ReplacesAQueuedMessageWithTheSameKey)
{
    parent_.send({1, {"old"}}, "key");
    parent_.send({2, {}});
    parent_.send({1, {"new"}}, "key");
    parent_.flush();
    EXPECT_EQ(child_.receive(message_), Received::message);
    EXPECT_EQ(message_.fields.front(), "new");
    EXPECT_EQ(child_.receive(message_), Received::message);
    EXPECT_EQ(message_.kind, 2);
    EXPECT_EQ(child_.receive(message_), Received::nothing);
}

TEST_F(Connection, DropsMessagesThatThePeerDoesNotReadButKeepsTheNewestState)
{
    const ControlMessage large{1, {std::string(10000, 'x')}};
    int accepted = 0;
    while (parent_.send(large)) {
        parent_.flush();
        ASSERT_LT(++accepted, 1000) << "the queue is not bounded";
    }
    EXPECT_TRUE(parent_.send({2, {"old"}}, "state"));
    EXPECT_TRUE(parent_.send({2, {"new"}}, "state"));
    for (int i = 0; i < accepted; ++i) {
        ASSERT_EQ(child_.receive(message_), Received::message);
        EXPECT_EQ(message_, large);
        parent_.flush();
    }
    EXPECT_EQ(child_.receive(message_), Received::message);
    EXPECT_EQ(message_.fields.front(), "new");
    EXPECT_EQ(child_.receive(message_), Received::nothing);
}

TEST_F(Connection, DiscardsAMessageThatIsTooLarge)
{
    EXPECT_FALSE(parent_.send({1, {std::string(ControlConnection::max_size, 'x')}}));
    EXPECT_TRUE(parent_.send({1, {std::string(ControlConnection::max_size - 3, 'x')}}));
    EXPECT_TRUE(parent_.flush());
    EXPECT_EQ(child_.receive(message_), Received::message);
}

TEST_F(Connection, SurvivesThePeersEnd)
{
    child_.close();
    EXPECT_EQ(parent_.receive(message_), Received::closed);
    EXPECT_TRUE(parent_.send({1, {}}));
    EXPECT_TRUE(parent_.flush());
    EXPECT_FALSE(parent_.send({1, {}}));
    EXPECT_FALSE(child_.send({1, {}}));
}

TEST_F(Connection, RejectsAnythingButMessages)
{
    const auto receive = [this](const std::string &packet) {
        ::send(child_.fd(), packet.data(), packet.size(), 0);
        return parent_.receive(message_);
    };
    EXPECT_EQ(receive("x"), Received::invalid);
    EXPECT_EQ(receive("\2\1"), Received::invalid) << "another version";
    EXPECT_EQ(receive("\1\1unterminated"), Received::invalid);
    EXPECT_EQ(receive("\1" + std::string(ControlConnection::max_size, '\0')), Received::invalid);
    EXPECT_EQ(receive("\1\1"), Received::message);
}

TEST(ControlMessage, IsTheSameAfterEncodingAndDecoding)
{
    std::mt19937 random(1);
    for (int i = 0; i < 1000; ++i) {
        ControlMessage message{static_cast<std::uint8_t>(random()), {}};
        for (auto fields = random() % 5; fields > 0; --fields)
            message.fields.emplace_back(random() % 100, static_cast<char>('a' + random() % 26));
        const auto packet = encode(message);
        ASSERT_TRUE(packet);
        EXPECT_EQ(decode_control(*packet), message);
    }
}

// --- of a supervisor ---

class ControlObserver final : public Supervisor::Observer {
public:
    void on_child_started(pid_t) override {}
    void on_child_ended(const ChildExit &) override { ++ends; }
    bool on_control_message(const ControlMessage &message) override
    {
        messages.lock()->push_back(message);
        return message.kind != 'x';
    }
    void on_control_violation() override { ++violations; }
    void on_gave_up(const ChildExit &) override {}

    Guarded<std::vector<ControlMessage>> messages;
    std::atomic<int> ends{0};
    std::atomic<int> violations{0};
};

/// Children are Python scripts with the socket `control`.
class SupervisedControl : public ::testing::Test {
protected:
    void start(const std::string &script)
    {
        config_.command = {{"/usr/bin/env", "python3", "-c",
                            "import socket, time; control = socket.socket(fileno=4)\n" + script},
                           {"PATH=/usr/bin:/bin"}};
        config_.limits.max_restarts = 0;
        auto started = Supervisor::start(config_, observer_, control_);
        ASSERT_TRUE(started);
        supervisor_ = std::move(*started);
    }
    template <typename Condition>
    void wait_until(Condition condition)
    {
        const auto deadline = monotonic_now() + testing::wait_timeout;
        while (!condition()) {
            ASSERT_LT(monotonic_now(), deadline);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

    Supervisor::Config config_;
    ControlObserver observer_;
    ControlConnection control_;
    std::unique_ptr<Supervisor> supervisor_; // destroyed before the observer
};

TEST_F(SupervisedControl, AnswersOfTheChildArriveAlsoAfterItsEnd)
{
    start("control.send(b'\\1' + control.recv(100)[1:2] + b'hello\\0')");
    wait_until([this] { return control_.send({7, {}}, "key"); });
    wait_until([this] { return observer_.ends > 0; });
    const auto messages = observer_.messages.snapshot();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0], (ControlMessage{7, {"hello"}}));
    EXPECT_EQ(observer_.violations, 0);
    EXPECT_FALSE(control_.send({7, {}})) << "no child runs";
}

TEST_F(SupervisedControl, LastMessagesOfAChildThatExceededTheRateArriveAfterItsEnd)
{
    start("for i in range(800): control.send(b'\\1a')\n"
          "control.send(b'\\1z')");
    wait_until([this] { return observer_.ends > 0; });
    const auto messages = observer_.messages.snapshot();
    ASSERT_EQ(messages.size(), 801u);
    EXPECT_EQ(messages.back().kind, 'z');
}

TEST_F(SupervisedControl, ChildThatSendsNonsenseIsIgnored)
{
    start("control.send(b'nonsense'); control.recv(1); time.sleep(1000)");
    wait_until([this] { return observer_.violations > 0; });
    EXPECT_EQ(observer_.messages.lock()->size(), 0u);
    EXPECT_TRUE(supervisor_->stats().running);
    EXPECT_FALSE(control_.send({7, {}}));
}

TEST_F(SupervisedControl, ChildThatSendsAnUnknownKindIsIgnored)
{
    start("control.send(b'\\1x'); control.recv(1); time.sleep(1000)");
    wait_until([this] { return observer_.violations > 0; });
    EXPECT_TRUE(supervisor_->stats().running);
}

TEST_F(SupervisedControl, ChildThatFloodsIsReadAtALimitedRate)
{
    constexpr std::size_t burst = Supervisor::max_control_burst;
    constexpr auto rate = Supervisor::max_control_rate;
    const auto begin = monotonic_now();
    start("while True: control.send(b'\\1a')");
    wait_until([this] { return observer_.messages.lock()->size() > burst + rate; });
    const auto received = static_cast<double>(observer_.messages.lock()->size());
    const std::chrono::duration<double> elapsed = monotonic_now() - begin;
    EXPECT_LE(received, burst + rate * elapsed.count() + 1);
    supervisor_->stop();
    EXPECT_EQ(observer_.violations, 0);
}

} // namespace
} // namespace jkvm
