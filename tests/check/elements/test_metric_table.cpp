// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the table of metrics, and that the dashboard uses its names.
#include "metric_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace jkvm {
namespace {

TEST(MetricTable, HasTheNamesOfJetkvmsDashboards)
{
    std::set<std::string> names;
    for (const auto &metric : metric_table())
        names.insert(metric.name);
    for (const char *adaptive :
         {"input_buffer_size_bytes", "output_buffer_size_bytes", "buffer_adjustments_total",
          "system_cpu_percent", "system_memory_percent"})
        EXPECT_TRUE(names.contains(std::string("jetkvm_adaptive_") + adaptive)) << adaptive;
    for (const char *socket : {"size_bytes", "utilization_percent", "overflow_total"})
        EXPECT_TRUE(names.contains(std::string("jetkvm_audio_socket_buffer_") + socket)) << socket;
    EXPECT_TRUE(names.contains("jetkvm_audio_frames_received_total"));
    EXPECT_TRUE(names.contains("jetkvm_microphone_frames_sent_total"));
    for (const std::string path : {"jetkvm_audio_", "jetkvm_microphone_"}) {
        for (const char *name :
             {"frames_dropped_total", "bytes_processed_total", "connection_drops_total",
              "average_latency_seconds", "last_frame_timestamp_seconds", "process_cpu_percent",
              "process_memory_percent", "process_memory_rss_bytes", "process_memory_vms_bytes",
              "process_running", "config_quality", "config_bitrate_kbps", "config_sample_rate_hz",
              "config_channels"})
            EXPECT_TRUE(names.contains(path + name)) << path << name;
    }
}

TEST(MetricTable, HasAdjacentRowsForEachName)
{
    std::set<std::string> seen;
    const Metric *last = nullptr;
    for (const auto &metric : metric_table()) {
        const std::string name = metric.name;
        if (last == nullptr || name != last->name) {
            EXPECT_TRUE(seen.insert(name).second) << name << " occurs in two places";
            EXPECT_STRNE(metric.help, "") << name;
        } else {
            EXPECT_EQ(metric.kind, last->kind) << name;
        }
        EXPECT_EQ(name.ends_with("_total"), metric.kind == MetricKind::counter) << name;
        last = &metric;
    }
}

TEST(MetricExamples, DashboardUsesExistingMetrics)
{
    std::set<std::string> known;
    for (const auto &metric : metric_table())
        known.insert(metric.name);
    for (const char *part : {"_bucket", "_sum", "_count"})
        known.insert(std::string(stage_metric_name) + part);
    std::ifstream file(JKVM_DASHBOARD);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    static const std::regex name("(jetkvm|jkvm)_[a-z_]+[a-z]");
    std::set<std::string> drawn;
    for (std::sregex_iterator i(text.begin(), text.end(), name); i != std::sregex_iterator(); ++i)
        drawn.insert(i->str());
    EXPECT_GE(drawn.size(), 20u);
    for (const auto &metric : drawn)
        EXPECT_TRUE(known.contains(metric)) << metric;
}

} // namespace
} // namespace jkvm
