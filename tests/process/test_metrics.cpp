// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the tracer jkvmmetrics with promtool and with a Prometheus server that scrapes a pipeline.
#include "support/alsa_device.h"
#include "support/http.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <regex>

namespace jkvm::testing {
namespace {

std::string read_file(const std::string &path)
{
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string &path, const std::string &text)
{
    std::ofstream(path) << text;
}

/// Returns the port that follows the text in the program's output.
int port_after(Program &program, const std::string &text)
{
    EXPECT_TRUE(program.wait_for_output(text)) << program.output();
    std::smatch port;
    const std::regex form(text + R"([0-9.]*:(\d+)[^\d])");
    if (!std::regex_search(program.output(), port, form)) { // the line is incomplete
        const auto lines = std::ranges::count(program.output(), '\n');
        program.wait_for_output("\n", static_cast<int>(lines) + 1);
        EXPECT_TRUE(std::regex_search(program.output(), port, form)) << program.output();
    }
    return port.empty() ? 0 : std::stoi(port[1]);
}

std::string percent_encoded(const std::string &text)
{
    std::string encoded;
    for (const unsigned char c : text) {
        std::array<char, 4> code{};
        std::snprintf(code.data(), code.size(), "%%%02X", c);
        encoded += std::isalnum(c) != 0 ? std::string(1, static_cast<char>(c)) : code.data();
    }
    return encoded;
}

/// A pipeline that captures audio and serves it on a socket.
class Capture {
public:
    /// `listen`: the parameter of the tracer.
    explicit Capture(const std::string &listen) : program_(command(listen)) {}

    Program &program() { return program_; }
    /// Returns the port of the metrics.
    int port() { return port_after(program_, "serving http://"); }
    /// Returns false on a time-out.
    bool wait_for_audio() { return program_.wait_for_output("x-jkvm-ipcsink-stats", 2); }

private:
    std::vector<std::string> command(const std::string &listen)
    {
        std::vector<std::string> command{"env", "GST_TRACERS=jkvmmetrics(listen=" + listen + ")",
                                         "GST_DEBUG=jkvmmetrics:4", "GST_DEBUG_NO_COLOR=1"};
        const auto launch =
            gst_launch("-m jkvmaudiosrc when-unheard=encode device=" + pcm_.device() +
                       " ! jkvmipcsink stats-interval=20 socket-path=" + directory_.file("a.sock"));
        command.insert(command.end(), launch.begin(), launch.end());
        return command;
    }

    TestPcm pcm_;
    TemporaryDirectory directory_;
    Program program_;
};

TEST(Metrics, PagePassesPromtoolCheck)
{
    Capture capture("127.0.0.1:0");
    const int port = capture.port();
    ASSERT_TRUE(capture.wait_for_audio());
    const auto page = http_get(port, "/metrics");
    EXPECT_NE(page.find("jetkvm_audio_frames_received_total"), std::string::npos) << page;
    for (const char *stage : {"encode", "sink", "ipc"})
        EXPECT_NE(page.find("stage=\"" + std::string(stage) + "\""), std::string::npos) << page;
    TemporaryDirectory directory;
    const auto file = directory.file("metrics");
    write_file(file, page);
    Program promtool({"sh", "-c", "promtool check metrics < " + file});
    EXPECT_EQ(promtool.wait(), 0) << promtool.output();
    EXPECT_EQ(promtool.output(), "");
}

TEST(Metrics, PrometheusScrapesThemAndEvaluatesDashboardExpressions)
{
    Capture capture("127.0.0.1:0");
    TemporaryDirectory directory;
    auto config = read_file(JKVM_EXAMPLES "/prometheus.yml");
    config = std::regex_replace(config, std::regex("9464"), std::to_string(capture.port()));
    config =
        std::regex_replace(config, std::regex("scrape_interval: \\d+s"), "scrape_interval: 100ms");
    write_file(directory.file("prometheus.yml"), config);
    Program prometheus({"prometheus", "--config.file=" + directory.file("prometheus.yml"),
                        "--storage.tsdb.path=" + directory.file("data"),
                        "--web.listen-address=127.0.0.1:0"});
    const int server = port_after(prometheus, "Listening on\" address=");
    ASSERT_TRUE(prometheus.wait_for_output("Server is ready"));
    const auto query = [&](const std::string &expression) {
        return http_get(server, "/api/v1/query?query=" + percent_encoded(expression));
    };

    const std::string frames =
        R"(jetkvm_audio_frames_received_total{job="jkvm", process="capture"} > 0)";
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::string answer;
    do {
        answer = query(frames);
    } while (answer.find("\"value\"") == std::string::npos &&
             std::chrono::steady_clock::now() < deadline);
    EXPECT_NE(answer.find("\"element\":\"jkvmipcsink0\""), std::string::npos) << answer;
    EXPECT_NE(answer.find("\"pipeline\":\"pipeline0\""), std::string::npos) << answer;

    const auto dashboard = read_file(JKVM_EXAMPLES "/grafana-dashboard.json");
    const std::regex expression(R"re("expr": "([^"]*)")re");
    int panels = 0;
    for (std::sregex_iterator i(dashboard.begin(), dashboard.end(), expression), end; i != end;
         ++i) {
        const auto text =
            std::regex_replace((*i)[1].str(), std::regex(R"(\$__rate_interval)"), "1m");
        EXPECT_NE(query(text).find("\"status\":\"success\""), std::string::npos) << text;
        ++panels;
    }
    EXPECT_GT(panels, 20);
}

TEST(Metrics, PortInUseCausesOnlyAWarning)
{
    Capture first("127.0.0.1:0");
    const auto address = "127.0.0.1:" + std::to_string(first.port());
    Capture second(address);
    auto &program = second.program();
    EXPECT_TRUE(program.wait_for_output("WARNING")) << program.output();
    EXPECT_TRUE(program.wait_for_output("could not serve metrics at \"" + address + "\""));
    EXPECT_TRUE(program.wait_for_output("Address already in use")) << program.output();
    EXPECT_TRUE(second.wait_for_audio()) << program.output();
    program.send(SIGINT);
    EXPECT_EQ(program.wait(), 0) << program.output();
}

} // namespace
} // namespace jkvm::testing
