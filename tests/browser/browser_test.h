// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs jkvm-browser between a server of frames and clients of the test.
//
// Environment: JKVM_BROWSER is the path of the program; it inherits GST_PLUGIN_PATH and
// GST_REGISTRY.
#pragma once

#include "webrtc_client.h"

#include "support/program.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace jkvm::testing {

/// Packets of 20 ms, each with another content.
Packet numbered_packet(std::uint32_t number);
/// Expects that no packet is missing or changed between the first and the last one.
void expect_contiguous(const std::vector<Packet> &packets);

/// Serves numbered frames in real time.
class FrameServer {
public:
    explicit FrameServer(const std::string &path) : listener_(listen_at(path)) {}
    FrameServer(const FrameServer &) = delete;
    FrameServer &operator=(const FrameServer &) = delete;
    ~FrameServer();

    /// Accepts a client and starts to serve it.
    void start();

private:
    void serve(int client) const;

    UniqueFd listener_;
    std::atomic<bool> is_stopped_ = false;
    std::thread thread_;
};

/// jkvm-browser on any free port.
class BrowserProgram {
public:
    explicit BrowserProgram(const std::vector<std::string> &arguments);
    /// Expects that the program ends without an error.
    ~BrowserProgram();
    BrowserProgram(const BrowserProgram &) = delete;
    BrowserProgram &operator=(const BrowserProgram &) = delete;

    /// Waits until the program listens. Returns its port, or 0 after failing the test.
    int port();

private:
    Program program_;
    int port_ = 0;
};

class BrowserTest : public ::testing::Test {
protected:
    void SetUp() override;

    [[nodiscard]] int status_of(const std::string &method, const std::string &path,
                                const std::map<std::string, std::string> &headers = {},
                                const std::string &body = {}) const
    {
        return request(port_, method, path, headers, body).status;
    }
    /// Opens a WebSocket to /alive for the session. Returns its socket.
    [[nodiscard]] UniqueFd open_liveness_socket(const std::string &address) const;
    /// Waits until the session has ended.
    void expect_end_of_session(const std::string &address) const;

    /// Returns the next connection of the program's microphone.
    UniqueFd accept_microphone() { return accept_from(microphone_.get()); }
    [[nodiscard]] int port() const { return port_; }

    static const std::map<std::string, std::string> sdp_headers;

private:
    TemporaryDirectory directory_;
    FrameServer server_{directory_.file("audio.sock")};
    UniqueFd microphone_ = listen_at(directory_.file("microphone.sock"));
    BrowserProgram program_{
        {"--microphone=" + directory_.file("microphone.sock"), directory_.file("audio.sock")}};
    int port_ = 0;
};

} // namespace jkvm::testing
