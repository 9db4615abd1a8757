// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the elements in every direction, role and dialect against an independent implementation of
// docs/protocol.md in Python that shares no code with them.
//
// Environment: JKVM_PEER is the path of jkvm_peer.py.
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>
#include <tuple>

namespace jkvm::testing {
namespace {

using Combination = std::tuple<const char *, const char *, const char *>;

/// One combination of the direction, the mode of the element (listen or connect) and the dialect.
class Peers : public ::testing::TestWithParam<Combination> {
protected:
    [[nodiscard]] static std::string direction() { return std::get<0>(GetParam()); }
    [[nodiscard]] static bool is_element_listening()
    {
        return std::get<1>(GetParam()) == std::string("listen");
    }
    [[nodiscard]] static std::string dialect() { return std::get<2>(GetParam()); }

    [[nodiscard]] std::string properties() const
    {
        return " direction=" + direction() + " mode=" + std::get<1>(GetParam()) +
               " socket-path=" + path_ + " ";
    }
    void start_element(const std::string &pipeline)
    {
        element_.emplace(gst_launch("-m " + pipeline));
        if (is_element_listening()) { // the socket exists in PLAYING
            ASSERT_TRUE(element_->wait_for_output("Setting pipeline to PLAYING"))
                << element_->output();
        }
    }
    void start_peer(const std::string &options)
    {
        const char *peer = std::getenv("JKVM_PEER");
        ASSERT_NE(peer, nullptr);
        std::vector<std::string> command{"python3", peer};
        const std::string role = is_element_listening() ? "client" : "server";
        std::istringstream words("--role " + role + " --direction " + direction() + " --dialect " +
                                 dialect() + " --path " + path_ + " " + options);
        for (std::string word; words >> word;)
            command.push_back(word);
        peer_.emplace(std::move(command));
        if (!is_element_listening()) {
            ASSERT_TRUE(peer_->wait_for_output("listening")) << peer_->output();
        }
    }
    /// Starts the listening side first.
    void start(const std::string &pipeline, const std::string &options)
    {
        if (is_element_listening()) {
            start_element(pipeline);
            start_peer(options);
        } else {
            start_peer(options);
            start_element(pipeline);
        }
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    std::optional<Program> element_;
    std::optional<Program> peer_;
};

TEST_P(Peers, PeerDecodesMessagesOfSink)
{
    start("audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,channels=2 ! opusenc ! "
          "jkvmipcsink dialect=" +
              dialect() + properties(),
          "--receive --frames 20");
    EXPECT_EQ(peer_->wait(), 0) << peer_->output();
    EXPECT_NE(peer_->output().find("received=20"), std::string::npos) << peer_->output();
    // Only the listener of a microphone connection receives a Config.
    EXPECT_EQ(peer_->output().find("config 48000 2 960") != std::string::npos,
              direction() == "microphone")
        << peer_->output();
}

TEST_P(Peers, SourceDecodesMessagesOfPeer)
{
    start("jkvmipcsrc num-buffers=20" + properties() + "! fakesink",
          "--send --endless --frames 20 --acks 0");
    EXPECT_EQ(element_->wait(), 0) << element_->output();
    EXPECT_NE(element_->output().find("Got EOS"), std::string::npos) << element_->output();
    EXPECT_EQ(peer_->wait(), 0) << peer_->output();
}

INSTANTIATE_TEST_SUITE_P(All, Peers,
                         ::testing::Combine(::testing::Values("output", "microphone"),
                                            ::testing::Values("listen", "connect"),
                                            ::testing::Values("v1", "v2", "v3")),
                         [](const auto &info) {
                             return std::string(std::get<0>(info.param)) + "_" +
                                    std::get<1>(info.param) + "_" + std::get<2>(info.param);
                         });

/// A full sink and strict v1 clients, for which every message other than a frame is an error.
class TurnedAwayV1Client : public ::testing::TestWithParam<const char *> {};

TEST_P(TurnedAwayV1Client, ReceivesOnlyTheEnd)
{
    const TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    Program sink(gst_launch("-m audiotestsrc is-live=true samplesperbuffer=960 ! "
                            "audio/x-raw,channels=2 ! opusenc ! jkvmipcsink max-clients=1 "
                            "client-policy=" +
                            std::string(GetParam()) + " socket-path=" + path));
    ASSERT_TRUE(sink.wait_for_output("Setting pipeline to PLAYING")) << sink.output();
    const auto run_client = [&path] {
        const char *peer = std::getenv("JKVM_PEER"); // NOLINT(concurrency-mt-unsafe): one thread
        return std::make_unique<Program>(std::vector<std::string>{
            "python3", peer != nullptr ? peer : "", "--role", "client", "--receive", "--direction",
            "output", "--path", path, "--frames", "1", "--endless"});
    };
    const auto first = run_client();
    ASSERT_TRUE(first->wait_for_output("frame")) << first->output();
    const auto second = run_client();
    // With share and reject, the second one is turned away; with replace, the first one is
    // displaced.
    const bool is_replaced = GetParam() == std::string("replace");
    auto &turned_away = is_replaced ? *first : *second;
    EXPECT_EQ(turned_away.wait(), is_replaced ? 0 : 1);
    EXPECT_NE(turned_away.output().find(is_replaced ? "closed" : "error closed after 0 of 1"),
              std::string::npos)
        << turned_away.output();
    EXPECT_EQ(turned_away.output().find("stop"), std::string::npos) << turned_away.output();
}

INSTANTIATE_TEST_SUITE_P(All, TurnedAwayV1Client, ::testing::Values("share", "reject", "replace"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
} // namespace jkvm::testing
