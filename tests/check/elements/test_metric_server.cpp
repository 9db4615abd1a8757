// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the HTTP server of the metrics.
#include "metric_server.h"
#include "support/http.h"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace jkvm {
namespace {

/// The counter test_total with the value 3.
class OneCounter final : public prometheus::Collectable {
public:
    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override
    {
        prometheus::ClientMetric metric;
        metric.counter.value = 3;
        return {{"test_total", "A test", prometheus::MetricType::Counter, {metric}}};
    }
};

class MetricServerTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        auto server = MetricServer::start("127.0.0.1:0", metrics_);
        ASSERT_TRUE(server);
        server_ = std::move(*server);
    }
    [[nodiscard]] UniqueFd connect() const
    {
        auto fd = testing::http_connect(server_->port());
        EXPECT_TRUE(fd);
        return fd;
    }
    /// The first line of the response to a request.
    [[nodiscard]] std::string status_of(const std::string &request) const
    {
        const auto fd = connect();
        EXPECT_TRUE(testing::http_send(fd.get(), request));
        const auto response = testing::http_receive(fd.get());
        return response.substr(0, response.find('\r'));
    }
    [[nodiscard]] std::string page() const
    {
        return testing::http_get(server_->port(), "/metrics");
    }

    static constexpr const char *line = "\ntest_total 3\n";
    std::shared_ptr<OneCounter> metrics_ = std::make_shared<OneCounter>();
    std::unique_ptr<MetricServer> server_;
};

TEST_F(MetricServerTest, ServesTheMetrics)
{
    EXPECT_NE(page().find(line), std::string::npos) << page();
}

TEST_F(MetricServerTest, AnswersWhileOtherRequestsAreIncomplete)
{
    std::vector<UniqueFd> halves;
    for (int i = 0; i < 4; ++i) {
        halves.push_back(connect());
        ASSERT_TRUE(testing::http_send(halves.back().get(), "GET /metrics HTT"));
    }
    const auto begin = monotonic_now();
    EXPECT_NE(page().find(line), std::string::npos);
    EXPECT_LT(monotonic_now() - begin, MetricServer::request_timeout);
}

TEST_F(MetricServerTest, AnswersDespiteHundredsOfIdleConnections)
{
    std::vector<UniqueFd> idle(300);
    for (auto &connection : idle)
        connection = connect();
    const auto begin = monotonic_now();
    EXPECT_NE(page().find(line), std::string::npos);
    EXPECT_LT(monotonic_now() - begin, MetricServer::request_timeout);
    EXPECT_EQ(testing::http_receive(idle.front().get()), "") << "the oldest is still open";
}

TEST_F(MetricServerTest, ClosesAConnectionWithoutARequest)
{
    const auto idle = connect();
    const auto begin = monotonic_now();
    EXPECT_EQ(testing::http_receive(idle.get()), ""); // until the server closes it
    EXPECT_GE(monotonic_now() - begin,
              MetricServer::request_timeout - std::chrono::milliseconds(1));
}

TEST_F(MetricServerTest, RefusesForeignHostsOnLoopback)
{
    const auto status_for = [this](const std::string &host) {
        return status_of("GET /metrics HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    };
    for (const char *host : {"localhost", "LocalHost:9464", "127.0.0.1", "127.0.0.1:9464",
                             "127.1.2.3:80", "[::1]:9464"})
        EXPECT_EQ(status_for(host), "HTTP/1.1 200 OK") << host;
    for (const char *host : {"evil.example", "evil.example:9464", "localhost.evil.example",
                             "127.0.0.1.evil.example", "192.168.1.1", "[::2]:9464", "[]", ""})
        EXPECT_EQ(status_for(host), "HTTP/1.1 403 Forbidden") << host;
}

TEST_F(MetricServerTest, RejectsOtherRequests)
{
    const std::string host = "\r\nHost: localhost\r\n\r\n";
    EXPECT_EQ(status_of("GET /other HTTP/1.1" + host), "HTTP/1.1 404 Not Found");
    EXPECT_EQ(status_of("POST /metrics HTTP/1.1" + host), "HTTP/1.1 405 Method Not Allowed");
    EXPECT_EQ(status_of("GET /metrics?a=b HTTP/1.1" + host), "HTTP/1.1 200 OK");
    EXPECT_EQ(status_of("GET /metrics HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK");
    for (const char *bad :
         {"GET /metrics HTTP/1.1\r\n\r\n", "\r\n\r\n", "GET\r\n\r\n", "GET  \r\n\r\n",
          "GET /metrics HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n",
          "GET /metrics SPDY/1\r\nHost: localhost\r\n\r\n"})
        EXPECT_EQ(status_of(bad), "HTTP/1.1 400 Bad Request") << bad;
    EXPECT_EQ(status_of("GET /metrics HTTP/1.1\r\nX: " + std::string(8192, 'x')),
              "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST(MetricServer, ReportsWhyItCannotServe)
{
    const auto metrics = std::make_shared<OneCounter>();
    auto first = MetricServer::start("127.0.0.1:0", metrics);
    ASSERT_TRUE(first);
    const auto taken = "127.0.0.1:" + std::to_string((*first)->port());
    const auto second = MetricServer::start(taken, metrics);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().detail.find("Address already in use"), std::string::npos)
        << second.error().detail;
    for (const char *address : {"", "9464", "127.0.0.1", "localhost:9464", "127.0.0.1:9464,9465",
                                "+9464", "127.0.0.1:9464s", "[::1:9464", "::1:9464"}) {
        const auto server = MetricServer::start(address, metrics);
        ASSERT_FALSE(server) << address;
        EXPECT_NE(server.error().detail.find("ADDRESS:PORT"), std::string::npos) << address;
    }
}

} // namespace
} // namespace jkvm
