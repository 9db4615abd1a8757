// SPDX-License-Identifier: LGPL-2.1-or-later
// Kills one end of a connection repeatedly, at random moments. The other end keeps running, leaks
// neither memory nor descriptors, and accepts the next peer.
#include "core/ipc/send/frame_sender.h"
#include "element_process.h"
#include "fault_counts.h"
#include "support/child_process.h"
#include "support/footprint.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <random>
#include <thread>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

/// Ignores all events.
class NoObserver final : public FrameSender::Observer {
    bool may_connect(const PeerInfo &) override { return true; }
    void on_peer_added(const PeerInfo &) override {}
    void on_peer_removed(const PeerTable::Removal &) override {}
    void on_peer_unreachable(const Error &) override {}
    void on_encoder_request(const std::optional<wire::SettingsRequest> &) override {}
};

/// Code of the processes that are killed; uses the same classes as the elements.
class Victim {
public:
    Victim(Part survivor, std::string path)
        : is_sender_(!is_sink(survivor)), endpoint_{.path = std::move(path),
                                                    .role = is_listening(survivor) ? Role::connect
                                                                                   : Role::listen,
                                                    .direction = is_output(survivor)
                                                                     ? wire::Direction::output
                                                                     : wire::Direction::microphone}
    {}

    /// Sends packets of `size` bytes, or receives and writes to `report` for received audio.
    [[nodiscard]] int run(std::size_t size, int report) const
    {
        return is_sender_ ? send(size) : read(report);
    }

private:
    [[nodiscard]] int send(std::size_t size) const
    {
        NoObserver observer;
        auto sender = FrameSender::start({.endpoint = endpoint_}, observer);
        if (!sender)
            return 1;
        std::vector<std::byte> packet(size);
        packet[0] = std::byte{0xFC};
        for (;;) {
            (*sender)->send(packet, wall_now(), 20ms);
            std::this_thread::sleep_for(5ms);
        }
    }
    [[nodiscard]] int read(int report) const
    {
        UniqueFd connection;
        std::optional<ListeningSocket> socket;
        if (endpoint_.role == Role::listen) {
            auto opened = ListeningSocket::open(endpoint_);
            if (!opened)
                return 1;
            socket.emplace(std::move(*opened));
            connection = testing::accept_from(socket->fd());
        } else {
            connection = testing::connect_to(endpoint_.path);
        }
        // On a microphone connection, a Config of 29 bytes precedes the audio.
        std::size_t received = 0;
        std::array<char, 4096> bytes{};
        for (;;) {
            const auto count = ::read(connection.get(), bytes.data(), bytes.size());
            if (count <= 0)
                break;
            received += static_cast<std::size_t>(count);
            if (received > 29 && ::write(report, "x", 1) != 1)
                return 2;
        }
        return 3;
    }

    bool is_sender_;
    Endpoint endpoint_;
};

class Kills : public ::testing::TestWithParam<Part> {};

TEST_P(Kills, OtherEndKeepsRunning)
{
    ElementProcess survivor(GetParam());
    const Victim victim(GetParam(), survivor.path());
    std::mt19937 random(1); // NOLINT(cert-msc51-cpp): for reproducible moments
    const auto pause_up_to = [&random](std::chrono::microseconds longest) {
        std::uniform_int_distribution<int> moment(0, static_cast<int>(longest.count()));
        std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
    };

    const auto kill_one = [&](std::size_t number) {
        std::array<int, 2> report{};
        ASSERT_EQ(::pipe2(report.data(), O_CLOEXEC | O_NONBLOCK), 0);
        const UniqueFd reading(report[0]);
        UniqueFd writing(report[1]);
        const auto size =
            10 + number; // unique, so that the frames of each killed process are recognised
        ChildProcess child([&] { return victim.run(size, writing.get()); });
        writing.reset();
        if (number % 2 == 0) { // while audio is flowing; otherwise during start-up
            pollfd entry{reading.get(), POLLIN, 0};
            if (is_sink(GetParam()))
                ASSERT_EQ(::poll(&entry, 1, 1000 * static_cast<int>(wait_timeout.count())), 1);
            else
                survivor.expect_frame(size);
        }
        pause_up_to(number % 2 == 0 ? 5ms : 20ms);
        child.kill();
    };

    constexpr std::size_t warm_up = kills / 10;
    const auto descriptors = descriptors_of(survivor.pid());
    long memory = 0;
    const auto is_alone = [&] { return descriptors_of(survivor.pid()) <= descriptors; };
    for (std::size_t number = 0; number <= kills; ++number) {
        ASSERT_NO_FATAL_FAILURE(kill_one(number));
        if (number == warm_up) {
            EXPECT_TRUE(eventually(is_alone)) << descriptors_of(survivor.pid());
            memory = memory_of(survivor.pid());
        }
    }
    EXPECT_TRUE(eventually(is_alone)) << descriptors_of(survivor.pid()) << ", not " << descriptors;
    EXPECT_LE(memory_of(survivor.pid()), memory + memory_tolerance);
    survivor.expect_clean_exit();
}

INSTANTIATE_TEST_SUITE_P(All, Kills, ::testing::ValuesIn(all_parts),
                         [](const auto &info) { return name_of(info.param); });

} // namespace
} // namespace jkvm::testing
