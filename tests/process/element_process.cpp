// SPDX-License-Identifier: LGPL-2.1-or-later
#include "element_process.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace jkvm::testing {

namespace {

const char *magic(bool is_output)
{
    return is_output ? "UOKJ" : "IMKJ";
}

} // namespace

std::string name_of(Part part)
{
    return std::string(is_sink(part) ? "Sink" : "Source") +
           (is_listening(part) ? "Listens" : "Connects");
}

std::ostream &operator<<(std::ostream &stream, Part part)
{
    return stream << name_of(part);
}

std::string pipeline_of(Part part, const std::string &properties)
{
    const std::string all =
        std::string(is_output(part) ? " " : " direction=microphone ") + properties;
    if (is_sink(part))
        return "-m audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,channels=2 ! "
               "opusenc ! jkvmipcsink" +
               all;
    return "-m -v jkvmipcsrc" + all + " ! fakesink silent=false";
}

bool eventually(const std::function<bool()> &condition)
{
    const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1)); // polling interval
    }
    return true;
}

std::vector<std::uint8_t> frame_of(std::size_t size, bool is_output)
{
    std::vector<std::uint8_t> packet(size, 0);
    packet[0] = 0xFC; // 20 ms, stereo, one frame
    return message_v1(magic(is_output), 0, wall_clock_ns(), packet);
}

std::int64_t capture_time_of_next_frame(int connection)
{
    const auto header = receive(connection, 17);
    if (header.size() != 17)
        return 0;
    const std::size_t length = header[5] + 256u * header[6];
    EXPECT_EQ(receive(connection, length).size(), length);
    std::uint64_t timestamp = 0;
    for (unsigned i = 0; i < 8; ++i)
        timestamp |= std::uint64_t{header[9 + i]} << (8 * i);
    return static_cast<std::int64_t>(timestamp);
}

ElementProcess::ElementProcess(Part part, const std::string &properties, const std::string &library,
                               const std::vector<std::string> &environment)
    : part_(part), program_(gst_launch(pipeline_of(part, "socket-path=" + path_ + " " + properties),
                                       library, environment))
{
    EXPECT_TRUE(program_.wait_for_output("new-state=(GstState)playing")) << program_.output();
}

UniqueFd ElementProcess::connect_peer()
{
    if (is_listening(part_)) {
        auto fd = connect_to(path_);
        EXPECT_TRUE(fd) << path_;
        return fd;
    }
    if (!listener_)
        listener_ = listen_at(path_);
    auto fd = accept_from(listener_.get());
    EXPECT_TRUE(fd) << "no connection to " << path_;
    return fd;
}

void ElementProcess::expect_audio(int connection)
{
    if (!is_sink(part_)) {
        const auto size = next_size_++;
        send_all(connection, frame_of(size, is_output(part_)));
        expect_frame(size);
        return;
    }
    for (;;) {
        const auto header = receive(connection, 17);
        ASSERT_EQ(header.size(), 17u) << "no frame arrived";
        ASSERT_EQ(std::string(header.begin(), header.begin() + 4), magic(is_output(part_)));
        const std::size_t length = header[5] + 256u * header[6];
        ASSERT_EQ(receive(connection, length).size(), length);
        if (header[4] == 0)
            return;
        ASSERT_FALSE(is_output(part_)) << "message type " << int{header[4]} << " sent to a client";
    }
}

void ElementProcess::expect_frame(std::size_t size)
{
    EXPECT_TRUE(program_.wait_for_output("(" + std::to_string(size) + " bytes"))
        << program_.output();
}

std::vector<std::uint8_t> ElementProcess::message(std::uint8_t type,
                                                  const std::vector<std::uint8_t> &payload) const
{
    return message_v1(magic(is_output(part_)), type, wall_clock_ns(), payload);
}

void ElementProcess::expect_reason(const std::string &reason)
{
    EXPECT_TRUE(program_.wait_for_output("reason=(string)" + reason)) << program_.output();
}

void ElementProcess::expect_clean_exit()
{
    program_.send(SIGINT);
    EXPECT_EQ(program_.wait(), 0) << program_.output();
    EXPECT_EQ(program_.output().find("ERROR"), std::string::npos) << program_.output();
}

} // namespace jkvm::testing
