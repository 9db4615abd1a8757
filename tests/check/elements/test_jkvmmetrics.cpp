// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the conversion of statistics to metrics.
#include "collector.h"
#include "core/stats/latency_histogram.h"
#include "metric_table.h"
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gst/check/gstharness.h>
#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <thread>

namespace jkvm {
namespace {

using testing::Pipeline;
using testing::stat;
using Labels = std::map<std::string, std::string>;

/// Returns the value of the only metric that has this name and at least these labels.
double value(const Collector &collector, const std::string &name, const Labels &labels)
{
    std::vector<double> found;
    for (const auto &family : collector.Collect()) {
        for (const auto &metric : family.metric) {
            Labels all;
            for (const auto &label : metric.label)
                all[label.name] = label.value;
            const bool has_them = std::ranges::all_of(labels, [&](const auto &label) {
                return all.contains(label.first) && all[label.first] == label.second;
            });
            if (family.name == name && has_them)
                found.push_back(family.type == prometheus::MetricType::Counter
                                    ? metric.counter.value
                                    : metric.gauge.value);
        }
    }
    EXPECT_EQ(found.size(), 1u) << name;
    return found.empty() ? -1 : found.front();
}

std::set<std::string> names(const Collector &collector)
{
    std::set<std::string> names;
    for (const auto &family : collector.Collect())
        names.insert(family.name);
    return names;
}

/// Compares each counter of the table with the element's statistics; returns the number of
/// counters.
int expect_counters_equal_stats(const Collector &collector, GstElement *element,
                                wire::Direction direction)
{
    const auto stats = testing::stats_of(element);
    int compared = 0;
    for (const auto &metric : metric_table()) {
        if (metric.source != Source::stats || metric.kind != MetricKind::counter ||
            metric.path.value_or(direction) != direction ||
            !gst_structure_has_field(stats.get(), metric.field))
            continue;
        Labels labels{{"element", GST_OBJECT_NAME(element)}};
        std::istringstream words(metric.labels);
        for (std::string word; words >> word;)
            labels[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
        const auto expected = static_cast<double>(stat(element, metric.field));
        EXPECT_DOUBLE_EQ(value(collector, metric.name, labels),
                         metric.unit == Unit::nanoseconds ? expected / 1e9 : expected)
            << metric.field;
        ++compared;
    }
    return compared;
}

template <typename Condition>
void wait_until(Condition condition)
{
    const auto deadline = std::chrono::steady_clock::now() + testing::wait_timeout;
    while (!condition() && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_TRUE(condition());
}

// An element whose statistics are set by the test.
struct GstJkvmTestElement {
    GstElement parent;
    GstStructure *stats;
};
struct GstJkvmTestElementClass {
    GstElementClass parent_class;
};
GType gst_jkvm_test_element_get_type();
G_DEFINE_TYPE(GstJkvmTestElement, gst_jkvm_test_element, GST_TYPE_ELEMENT)

void gst_jkvm_test_element_init(GstJkvmTestElement *) {}

void gst_jkvm_test_element_class_init(GstJkvmTestElementClass *klass)
{
    auto *object_class = G_OBJECT_CLASS(klass);
    object_class->get_property = [](GObject *self, guint, GValue *to, GParamSpec *) {
        g_value_set_boxed(to, reinterpret_cast<GstJkvmTestElement *>(self)->stats);
    };
    object_class->finalize = [](GObject *self) {
        gst_structure_free(reinterpret_cast<GstJkvmTestElement *>(self)->stats);
        G_OBJECT_CLASS(gst_jkvm_test_element_parent_class)->finalize(self);
    };
    g_object_class_install_property(
        object_class, 1, g_param_spec_boxed("stats", "", "", GST_TYPE_STRUCTURE, G_PARAM_READABLE));
}

// A bin of a jkvm type, like jkvmsupervisedsink.
struct GstJkvmTestBin {
    GstBin parent;
};
struct GstJkvmTestBinClass {
    GstBinClass parent_class;
};
GType gst_jkvm_test_bin_get_type();
G_DEFINE_TYPE(GstJkvmTestBin, gst_jkvm_test_bin, GST_TYPE_BIN)
void gst_jkvm_test_bin_init(GstJkvmTestBin *) {}
void gst_jkvm_test_bin_class_init(GstJkvmTestBinClass *) {}

GstRef<GstElement> make_element_with(const char *stats,
                                     GType type = gst_jkvm_test_element_get_type())
{
    auto *element = g_object_new(type, "name", "test", nullptr);
    reinterpret_cast<GstJkvmTestElement *>(element)->stats =
        gst_structure_from_string(stats, nullptr);
    return GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(element)));
}

TEST(Metrics, DisappearWithTheElement)
{
    Collector collector;
    auto element = GstRef<GstElement>::adopt(
        GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("jkvmipcsrc", "s"))));
    collector.add(element.get());
    EXPECT_EQ(value(collector, "jkvm_connects_total", {{"element", "s"}, {"pipeline", ""}}), 0);
    element = {};
    EXPECT_TRUE(collector.Collect().empty());
}

TEST(Metrics, IgnoreElementsOfOtherProjects)
{
    // Differs in the type name only.
    static const GType type = g_type_register_static_simple(
        gst_jkvm_test_element_get_type(), "GstOtherTestElement", sizeof(GstJkvmTestElementClass),
        nullptr, sizeof(GstJkvmTestElement), nullptr, static_cast<GTypeFlags>(0));
    const char *stats = "application/x-test-stats, rejects=(guint64)3;";
    Collector collector;
    const auto foreign = make_element_with(stats, type);
    collector.add(foreign.get());
    EXPECT_TRUE(collector.Collect().empty());
    const auto element = make_element_with(stats);
    collector.add(element.get());
    EXPECT_EQ(value(collector, "jkvm_rejects_total", {}), 3);
}

TEST(Metrics, ContainTheElementsOfAWorker)
{
    Collector collector;
    Pipeline pipeline("jkvmsupervisedsrc name=s launch=\"jkvmaudiosrc name=a "
                      "device=jkvm_no_such_device quality=high\" ! fakesink");
    gst_object_set_name(GST_OBJECT(pipeline.get()), "p");
    collector.add(pipeline.element("s"));
    const std::map<std::string, std::string> labels{{"element", "s/a"}, {"pipeline", "p"}};
    EXPECT_EQ(value(collector, "jkvm_frames_total", labels), 0);
    EXPECT_EQ(value(collector, "jetkvm_audio_config_quality", labels), 2);
    pipeline.play();
    const auto deadline = g_get_monotonic_time() + gint64{20} * G_USEC_PER_SEC;
    while (value(collector, "jkvm_frames_total", labels) == 0) {
        ASSERT_LT(g_get_monotonic_time(), deadline);
        g_usleep(1000);
    }
}

TEST(Metrics, NameElementsWithTheirParentBins)
{
    Collector collector;
    Pipeline pipeline("jkvmipcsrc name=s ! fakesink ( name=bin jkvmipcsrc name=t ! fakesink )");
    gst_object_set_name(GST_OBJECT(pipeline.get()), "p");
    collector.add(pipeline.element("s"));
    collector.add(pipeline.element("t"));
    EXPECT_EQ(value(collector, "jkvm_connects_total", {{"element", "s"}, {"pipeline", "p"}}), 0);
    EXPECT_EQ(value(collector, "jkvm_connects_total", {{"element", "bin/t"}, {"pipeline", "p"}}),
              0);
}

TEST(Metrics, DistinguishPipelinesOfTheSameName)
{
    Collector collector;
    Pipeline one("jkvmipcsrc name=s ! fakesink");
    Pipeline two("jkvmipcsrc name=s ! fakesink");
    for (auto *pipeline : {&one, &two}) {
        gst_object_set_name(GST_OBJECT(pipeline->get()), "p");
        collector.add(pipeline->element("s"));
    }
    EXPECT_EQ(value(collector, "jkvm_connects_total", {{"element", "s"}, {"pipeline", "p"}}), 0);
    EXPECT_EQ(value(collector, "jkvm_connects_total", {{"element", "s"}, {"pipeline", "p#2"}}), 0);
}

TEST(Metrics, MatchTheStatisticsOfTheSinkAfterLosses)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    auto *element = gst_element_factory_make("jkvmipcsink", nullptr);
    g_object_set(element, "socket-path", path.c_str(), nullptr);
    auto *harness = gst_harness_new_with_element(element, "sink", nullptr);
    gst_object_unref(element); // the harness owns it
    Collector collector;
    collector.add(element);
    gst_harness_set_src_caps_str(harness,
                                 "audio/x-opus, channel-mapping-family=0, channels=2, rate=48000");
    const auto push = [&](const std::string &packet) {
        gst_harness_push(harness, gst_buffer_new_memdup(packet.data(), packet.size()));
    };
    for (std::uint64_t i = 1; i <= 2;
         ++i) { // a client that connects, reads nothing and disconnects
        auto client = testing::connect_to(path);
        wait_until([&] { return stat(element, "connects") == i; });
        const auto before = stat(element, "dropped-queue-full");
        for (int sent = 0; sent < 200 && stat(element, "dropped-queue-full") == before; ++sent)
            push("\xFC" + std::string(4000, 'x'));
        EXPECT_GT(stat(element, "dropped-queue-full"), before);
        EXPECT_GT(value(collector, "jetkvm_audio_socket_buffer_utilization_percent",
                        {{"component", "audio-output"}, {"buffer_type", "send"}}),
                  0);
        client.reset();
        wait_until([&] { return stat(element, "connection-drops") == i; });
    }
    push("\xFB"); // not an Opus packet
    EXPECT_EQ(stat(element, "dropped-invalid"), 1u);
    EXPECT_GE(expect_counters_equal_stats(collector, element, wire::Direction::output), 15);
    EXPECT_EQ(value(collector, "jetkvm_audio_connection_drops_total", {}), 2);
    EXPECT_EQ(value(collector, "jkvm_connected", {}), 0);
    gst_harness_teardown(harness);
}

TEST(Metrics, MatchTheStatisticsOfTheSourceAfterReconnects)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    const auto listener = testing::listen_at(path);
    Collector collector;
    Pipeline pipeline("jkvmipcsrc name=s socket-path=" + path + " ! fakesink");
    auto *element = pipeline.element("s");
    collector.add(element);
    pipeline.play();
    const std::vector<std::uint8_t> packet{0xFC, 1, 2, 3};
    for (int i = 0; i < 3; ++i) {
        const auto server = testing::accept_from(listener.get());
        testing::send_all(server.get(),
                          testing::message_v1("UOKJ", 0, testing::wall_clock_ns(), packet));
        testing::send_all(server.get(),
                          testing::message_v1("UOKJ", 0, 0, std::vector<std::uint8_t>{0xFB}));
    }
    wait_until([&] { return stat(element, "connection-drops") == 3; });
    EXPECT_EQ(value(collector, "jetkvm_audio_config_sample_rate_hz", {}), 48000);
    pipeline.set_state(GST_STATE_NULL); // prevents another reconnect
    EXPECT_GE(expect_counters_equal_stats(collector, element, wire::Direction::output), 12);
    EXPECT_EQ(value(collector, "jetkvm_audio_frames_received_total", {}), 6);
    EXPECT_EQ(value(collector, "jetkvm_audio_frames_dropped_total", {}), 3);
    const auto last = value(collector, "jetkvm_audio_last_frame_timestamp_seconds", {});
    EXPECT_NEAR(last, static_cast<double>(testing::wall_clock_ns()) / 1e9, 60);
}

TEST(Metrics, MatchTheStatisticsOfTheDeviceAfterAnOverrun)
{
    testing::TestPcm pcm;
    Collector collector;
    Pipeline pipeline("jkvmaudiosrc name=s device=" + pcm.device() + " ! fakesink");
    auto *element = pipeline.element("s");
    collector.add(element);
    pipeline.play();
    wait_until([&] { return stat(element, "frames") > 0; });
    pcm.send("xrun");
    EXPECT_TRUE(pipeline.wait_for_element_message("jkvm-xrun"));
    pipeline.set_state(GST_STATE_NULL);
    EXPECT_GE(expect_counters_equal_stats(collector, element, wire::Direction::output), 5);
    EXPECT_EQ(value(collector, "jkvm_device_xruns_total", {}), 1);
    EXPECT_GT(value(collector, "jkvm_device_lost_seconds_total", {}), 0);
}

TEST(Metrics, HaveOtherNamesForTheMicrophone)
{
    testing::TemporaryDirectory directory;
    Collector collector;
    Pipeline pipeline("appsrc name=a format=time caps=audio/x-opus,channel-mapping-family=0 ! "
                      "jkvmipcsink name=s direction=microphone socket-path=" +
                      directory.file("m.sock"));
    auto *element = pipeline.element("s");
    collector.add(element);
    pipeline.play();
    auto *source = pipeline.element("a");
    for (const std::string packet : {"\xFC", "\xFC", "\xFB"}) {
        auto *buffer = gst_buffer_new_memdup(packet.data(), packet.size());
        GstFlowReturn flow = GST_FLOW_OK;
        g_signal_emit_by_name(source, "push-buffer", buffer, &flow);
        gst_buffer_unref(buffer);
    }
    wait_until([&] { return stat(element, "frames-received") == 3; });
    EXPECT_EQ(value(collector, "jetkvm_microphone_frames_sent_total", {}), 2);
    EXPECT_EQ(value(collector, "jetkvm_microphone_frames_dropped_total", {}), 1);
    EXPECT_GE(expect_counters_equal_stats(collector, element, wire::Direction::microphone), 15);
    for (const auto &name : names(collector))
        EXPECT_FALSE(name.starts_with("jetkvm_audio_") && !name.starts_with("jetkvm_audio_socket"))
            << name;
    EXPECT_EQ(value(collector, "jetkvm_audio_socket_buffer_overflow_total",
                    {{"component", "audio-input"}}),
              0);
}

TEST(Metrics, CoverProcessesQueuesAndDevices)
{
    Collector collector;
    const auto element = make_element_with(
        "application/x-jkvm-test-stats, running=(boolean)true, cpu-percent=(double)12.5, "
        "hangs=(guint64)1, bitrate=(guint)96000, rss=(guint64)1000000, vms=(guint64)2000000, "
        "restarts=(guint64)2, input_buffer_size=(guint)6, output_buffer_size=(guint)7, "
        "adaptation_count=(guint64)5, system_cpu_percent=(double)40, "
        "system_memory_percent=(double)50, device-state=(string)run, "
        "current-delay=(guint64)30000000, drift-ppm=(double)-12.5;");
    collector.add(element.get());
    EXPECT_EQ(value(collector, "jetkvm_audio_process_running", {}), 1);
    EXPECT_EQ(value(collector, "jetkvm_audio_process_cpu_percent", {}), 12.5);
    const auto share = value(collector, "jetkvm_audio_process_memory_percent", {});
    EXPECT_GT(share, 0);
    EXPECT_LT(share, 1); // machines have more than 100 MB
    EXPECT_EQ(value(collector, "jkvm_process_ends_total", {{"reason", "hang"}}), 1);
    EXPECT_EQ(value(collector, "jetkvm_audio_config_bitrate_kbps", {}), 96);
    EXPECT_EQ(value(collector, "jetkvm_audio_process_memory_rss_bytes", {}), 1000000);
    EXPECT_EQ(value(collector, "jetkvm_audio_process_memory_vms_bytes", {}), 2000000);
    EXPECT_EQ(value(collector, "jkvm_process_restarts_total", {}), 2);
    EXPECT_EQ(value(collector, "jetkvm_adaptive_input_buffer_size_bytes", {}), 6);
    EXPECT_EQ(value(collector, "jkvm_adaptive_input_buffer_frames", {}), 6);
    EXPECT_EQ(value(collector, "jkvm_adaptive_output_buffer_frames", {}), 7);
    EXPECT_EQ(value(collector, "jetkvm_adaptive_buffer_adjustments_total", {}), 5);
    EXPECT_EQ(value(collector, "jetkvm_adaptive_system_cpu_percent", {}), 40);
    EXPECT_EQ(value(collector, "jetkvm_adaptive_system_memory_percent", {}), 50);
    EXPECT_EQ(value(collector, "jkvm_device_state", {{"state", "run"}}), 1);
    EXPECT_EQ(value(collector, "jkvm_queue_delay_seconds", {}), 0.03);
    EXPECT_EQ(value(collector, "jkvm_clock_drift_ppm", {}), -12.5);
}

TEST(Metrics, UseTheDirectionOfTheOutermostElement)
{
    Collector collector;
    const auto bin = GstRef<GstElement>::adopt(GST_ELEMENT(
        gst_object_ref_sink(g_object_new(gst_jkvm_test_bin_get_type(), "name", "b", nullptr))));
    auto *inner = gst_element_factory_make("jkvmipcsink", "s"); // direction=output
    gst_bin_add(GST_BIN(bin.get()), inner);
    collector.add(inner);
    EXPECT_EQ(value(collector, "jetkvm_microphone_frames_sent_total", {}), 0);
    EXPECT_FALSE(names(collector).contains("jetkvm_audio_frames_received_total"));
}

TEST(Metrics, HaveAHistogramForEachStage)
{
    Collector collector;
    LatencyHistogram histogram;
    histogram.record(std::chrono::milliseconds(1));
    histogram.record(std::chrono::milliseconds(2));
    histogram.record(std::chrono::seconds(10));
    std::string buckets;
    for (const auto count : histogram.counts())
        buckets += (buckets.empty() ? "" : ", ") + std::string("(guint64)") + std::to_string(count);
    const auto element =
        make_element_with(("application/x-jkvm-ipcsrc-stats, latency-buckets=(GstValueArray)< " +
                           buckets + " >, latency-sum=(guint64)10003000000;")
                              .c_str());
    collector.add(element.get());
    const auto families = collector.Collect();
    ASSERT_EQ(families.size(), 1u);
    EXPECT_EQ(families.front().name, "jkvm_latency_seconds");
    const auto &metric = families.front().metric.at(0);
    EXPECT_EQ(metric.label.back().name, "stage");
    EXPECT_EQ(metric.label.back().value, "receiver");
    EXPECT_EQ(metric.histogram.sample_count, 3u);
    EXPECT_DOUBLE_EQ(metric.histogram.sample_sum, 10.003);
    for (const auto &bucket : metric.histogram.bucket) {
        const auto expected = bucket.upper_bound < 0.001       ? 0u
                              : bucket.upper_bound < 0.002     ? 1u
                              : std::isinf(bucket.upper_bound) ? 3u
                                                               : 2u;
        EXPECT_EQ(bucket.cumulative_count, expected) << bucket.upper_bound;
    }
    EXPECT_TRUE(std::isinf(metric.histogram.bucket.back().upper_bound));
}

} // namespace
} // namespace jkvm
