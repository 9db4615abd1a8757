// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests both elements, listening and connecting, against hostile peers. A violation ends at most
// the connection of the hostile peer, and the next peer is served.
#include "element_process.h"
#include "fault_counts.h"
#include "support/footprint.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <thread>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

// Message types of the first dialect.
constexpr std::uint8_t frame_type = 0;
constexpr std::uint8_t heartbeat_type = 3;
constexpr std::uint8_t ack_type = 4;

constexpr std::size_t header_size = 17;

class HostilePeer : public ::testing::TestWithParam<Part> {
protected:
    /// Returns a complete message that the element accepts from its peer.
    [[nodiscard]] std::vector<std::uint8_t> good_message() const
    {
        if (is_sink(GetParam()))
            return element_.message(ack_type, {});
        // A short packet: long ones would fill the timeline ahead of the clock, and the next
        // peer's frame would be late.
        return element_.message(frame_type, {0xE4, 0xFF, 0xFE}); // 2.5 ms
    }
    /// Sends the bytes and expects that the element closes the connection because of a violation.
    void expect_violation(const std::vector<std::uint8_t> &bytes)
    {
        const auto hostile = element_.connect_peer();
        element_.expect_audio(hostile.get());
        send_all(hostile.get(), good_message());
        send_all(hostile.get(), bytes);
        EXPECT_TRUE(is_closed_by_peer(hostile.get()));
        element_.expect_reason("violation");
        element_.expect_audio();
        element_.expect_clean_exit();
    }
    static bool is_readable(int fd)
    {
        pollfd entry{fd, POLLIN, 0};
        return ::poll(&entry, 1, 0) > 0;
    }
    /// Sends ten thousand of these messages and expects that the connection remains usable.
    void expect_flood_is_survived(std::uint8_t type)
    {
        const auto hostile = element_.connect_peer();
        element_.expect_audio(hostile.get());
        const auto memory = memory_of(element_.pid());
        const auto message = element_.message(type, {});
        for (int i = 0; i < 10000; ++i) {
            send_all(hostile.get(), message);
            // A sink disconnects a client that does not read its frames, however long this takes.
            if (i % 50 == 0 && is_sink(GetParam())) {
                while (is_readable(hostile.get()) && !HasFatalFailure())
                    element_.expect_audio(hostile.get());
            }
        }
        element_.expect_audio(hostile.get());
        EXPECT_LE(memory_of(element_.pid()), memory + memory_tolerance);
        element_.expect_clean_exit();
    }

    ElementProcess element_{GetParam()};
};

TEST_P(HostilePeer, StallInsideAHeaderDelaysNoOtherPeer)
{
    auto hostile = element_.connect_peer();
    auto bytes = good_message();
    bytes.resize(header_size / 2);
    send_all(hostile.get(), bytes);
    if (!is_listening(GetParam()))
        hostile.reset(); // a connecting element has one connection at a time
    element_.expect_audio();
    element_.expect_clean_exit();
}

TEST_P(HostilePeer, PayloadThatIsOneByteShortEndsTheConnection)
{
    auto bytes = good_message();
    ++bytes[5];
    const auto next = good_message();
    bytes.insert(bytes.end(), next.begin(), next.end());
    bytes.insert(bytes.end(), next.begin(), next.end());
    expect_violation(bytes);
}

TEST_P(HostilePeer, ImpossibleLengthEndsTheConnection)
{
    auto bytes = good_message();
    std::fill_n(bytes.begin() + 5, 4, 0xFF);
    expect_violation(bytes);
}

TEST_P(HostilePeer, WrongMagicInMidStreamEndsTheConnection)
{
    auto bytes = good_message();
    bytes[0] ^= 0x20;
    expect_violation(bytes);
}

TEST_P(HostilePeer, OneByteASecondDelaysNoOtherPeer)
{
    const auto hostile = element_.connect_peer();
    const auto bytes = good_message();
    for (std::size_t i = 0; i < 3; ++i) {
        send_all(hostile.get(), std::span(bytes).subspan(i, 1));
        // A sink sends its frames in the meantime.
        const auto end = std::chrono::steady_clock::now() + 1s;
        while (std::chrono::steady_clock::now() < end) {
            if (is_sink(GetParam()))
                element_.expect_audio(hostile.get());
            else
                std::this_thread::sleep_until(end);
        }
    }
    send_all(hostile.get(), std::span(bytes).subspan(3));
    element_.expect_audio(hostile.get());
    element_.expect_clean_exit();
}

TEST_P(HostilePeer, TenThousandHeartbeatsKeepTheConnection)
{
    expect_flood_is_survived(heartbeat_type);
}

TEST_P(HostilePeer, UnsolicitedAcksKeepTheConnection)
{
    expect_flood_is_survived(ack_type);
}

bool has_hung_up(int fd)
{
    pollfd entry{fd, 0, 0};
    return ::poll(&entry, 1, 0) == 1;
}

TEST(NeverReading, SixtyFourClientsCauseNoLossForEightOthers)
{
    // The queue is longer than the delays that this test may have on a busy machine.
    ElementProcess element(Part::sink_listens, "max-clients=72 max-queue-time=2000");
    std::array<UniqueFd, 8> healthy;
    for (auto &fd : healthy)
        fd = element.connect_peer();
    std::array<std::int64_t, 8> last{};
    for (std::size_t i = 0; i < healthy.size(); ++i)
        last[i] = capture_time_of_next_frame(healthy[i].get());
    std::array<UniqueFd, 64> hostile;
    // Per client: a receive buffer of 16 KiB, and little else.
    const auto bound =
        memory_of(element.pid()) + static_cast<long>(hostile.size()) * 20 + memory_tolerance;
    for (auto &fd : hostile)
        fd = element.connect_peer();

    const auto have_all_disconnected = [&] {
        return std::ranges::all_of(hostile, [](const auto &fd) { return has_hung_up(fd.get()); });
    };
    const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
    for (int frames_after = 0; frames_after < 10; frames_after += have_all_disconnected() ? 1 : 0) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline)
            << "clients that do not read are still connected";
        for (std::size_t i = 0; i < healthy.size(); ++i) {
            const auto captured = capture_time_of_next_frame(healthy[i].get());
            EXPECT_LT(captured - last[i], 30'000'000) << "client " << i << " lost a frame";
            last[i] = captured;
        }
        ASSERT_LE(memory_of(element.pid()), bound);
    }
    element.expect_reason("slow");
    element.expect_clean_exit();
}

TEST(NeverReading, SinkDisconnectsFromServerAndReconnects)
{
    ElementProcess element(Part::sink_connects);
    const auto hostile = element.connect_peer();
    EXPECT_TRUE(eventually([&] { return has_hung_up(hostile.get()); }));
    element.expect_reason("slow");
    element.expect_audio();
    element.expect_clean_exit();
}

INSTANTIATE_TEST_SUITE_P(All, HostilePeer, ::testing::ValuesIn(all_parts),
                         [](const auto &info) { return name_of(info.param); });

} // namespace
} // namespace jkvm::testing
