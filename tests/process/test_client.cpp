// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs docs/examples/client.c against the elements and compares every byte.
#include "support/gst_test.h"
#include "support/program.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace jkvm::testing {
namespace {

using Packet = std::vector<std::uint8_t>;

/// Packets of all sizes up to the protocol's maximum, each with other bytes. Their first byte
/// describes one CELT frame of 2.5 ms.
std::vector<Packet> make_packets()
{
    std::vector<Packet> packets;
    std::uint32_t state = 1;
    for (const std::size_t size : {1U, 2U, 3U, 17U, 256U, 257U, 1275U}) {
        for (int i = 0; i < 5; ++i) {
            Packet packet(size);
            for (auto &byte : packet)
                byte = static_cast<std::uint8_t>((state = state * 1664525U + 1013904223U) >> 24);
            packet.front() = 0xE0;
            packets.push_back(std::move(packet));
        }
    }
    return packets;
}

/// Returns the packets in the client's file format: length, 0, packet.
Packet to_file_format(const std::vector<Packet> &packets)
{
    Packet bytes;
    for (const auto &packet : packets) {
        const auto size = packet.size();
        bytes.insert(bytes.end(), {0, 0, static_cast<std::uint8_t>(size >> 8),
                                   static_cast<std::uint8_t>(size), 0, 0, 0, 0});
        bytes.insert(bytes.end(), packet.begin(), packet.end());
    }
    return bytes;
}

class ClientInC : public ::testing::Test {
protected:
    ~ClientInC() override
    {
        if (harness_ != nullptr)
            gst_harness_teardown(harness_);
    }

    GstElement *start(const char *factory, const char *sink_pad, const char *src_pad)
    {
        auto *element = gst_element_factory_make(factory, nullptr);
        g_object_set(element, "socket-path", path_.c_str(), nullptr);
        if (src_pad != nullptr)
            gst_util_set_object_arg(G_OBJECT(element), "direction", "microphone");
        harness_ = gst_harness_new_with_element(element, sink_pad, src_pad);
        gst_object_unref(element); // the harness holds a reference
        gst_harness_use_systemclock(harness_);
        return element;
    }
    /// Starts a listening jkvmipcsink and waits for the client.
    GstElement *start_sink()
    {
        auto *sink = start("jkvmipcsink", "sink", nullptr);
        gst_harness_set_src_caps_str(harness_, "audio/x-opus, channel-mapping-family=0");
        const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
        while (stat(sink, "connects") == 0 && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        EXPECT_EQ(stat(sink, "connects"), 1u);
        return sink;
    }
    [[nodiscard]] std::unique_ptr<Program> run(std::vector<std::string> arguments) const
    {
        const char *client = std::getenv("JKVM_CLIENT");
        arguments.insert(arguments.begin(), client != nullptr ? client : "client");
        return std::make_unique<Program>(std::move(arguments));
    }
    [[nodiscard]] Packet file_content() const
    {
        std::ifstream file(file_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void write_file(const Packet &bytes) const
    {
        std::ofstream file(file_, std::ios::binary);
        for (const auto byte : bytes)
            file.put(static_cast<char>(byte));
    }
    void push(const Packet &packet)
    {
        ASSERT_EQ(gst_harness_push(harness_, gst_buffer_new_memdup(packet.data(), packet.size())),
                  GST_FLOW_OK);
    }
    Packet pull()
    {
        const auto buffer = GstRef<GstBuffer>::adopt(gst_harness_pull(harness_));
        if (!buffer)
            return {};
        Packet packet(gst_buffer_get_size(buffer.get()));
        gst_buffer_extract(buffer.get(), 0, packet.data(), packet.size());
        return packet;
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    std::string file_ = directory_.file("packets");
    GstHarness *harness_ = nullptr;
};

TEST_F(ClientInC, ReceivesEveryByteOfTheSink)
{
    const auto packets = make_packets();
    const auto client = run({"receive", path_, file_, std::to_string(packets.size())});
    auto *sink = start_sink();
    for (const auto &packet : packets)
        push(packet);
    EXPECT_EQ(client->wait(), 0) << client->output();
    EXPECT_EQ(file_content(), to_file_format(packets));
    EXPECT_EQ(stat(sink, "dropped"), 0u);
    EXPECT_EQ(stat(sink, "protocol-errors"), 0u);
}

TEST_F(ClientInC, SendsEveryByteToTheSource)
{
    const auto packets = make_packets();
    write_file(to_file_format(packets));
    auto *source = start("jkvmipcsrc", nullptr, "src");
    gst_harness_play(harness_);
    const auto client = run({"send", path_, file_});
    for (std::size_t i = 0; i < packets.size(); ++i)
        ASSERT_EQ(pull(), packets[i]) << "packet " << i;
    EXPECT_EQ(client->wait(), 0) << client->output();
    EXPECT_EQ(stat(source, "protocol-errors"), 0u);
    EXPECT_EQ(stat(source, "implausible-timestamps"), 0u);
}

TEST_F(ClientInC, ConnectsAgainWhenTheServerRestarts)
{
    const std::vector<Packet> packets{{0xE0, 1}, {0xE0, 2, 3}};
    const auto client = run({"receive", path_, file_, "2"});
    start_sink();
    push(packets.front());
    const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
    while (file_content().empty() && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    ASSERT_EQ(file_content(), to_file_format({packets.front()}));
    gst_harness_teardown(std::exchange(harness_, nullptr));

    start_sink();
    push(packets.back());
    EXPECT_EQ(client->wait(), 0) << client->output();
    EXPECT_EQ(file_content(), to_file_format(packets));
}

TEST_F(ClientInC, EndsWithAMessageIfTheFileIsDamaged)
{
    write_file({0, 0, 0, 9, 0, 0, 0, 0, 0xE0});
    start("jkvmipcsrc", nullptr, "src");
    gst_harness_play(harness_);
    const auto client = run({"send", path_, file_});
    EXPECT_EQ(client->wait(), 1);
    EXPECT_NE(client->output().find("Bad message"), std::string::npos) << client->output();
}

} // namespace
} // namespace jkvm::testing
