// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:tracer-jkvmmetrics
 * @title: jkvmmetrics
 * @short_description: Serves the statistics of jkvm elements to Prometheus
 *
 * A tracer that serves the property stats of all jkvm elements of the process in the text format of
 * Prometheus, at http://ADDRESS:PORT/metrics. It is enabled by an environment variable, without changes
 * to a pipeline. Elements may be created and destroyed at any time.
 *
 * |[
 * GST_TRACERS="jkvmmetrics" gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink
 * GST_TRACERS="jkvmmetrics(listen=127.0.0.1:9465)" gst-launch-1.0 jkvmipcsrc ! opusdec plc=true ! autoaudiosink
 * curl 127.0.0.1:9464/metrics
 * ]|
 *
 * The parameter listen is ADDRESS:PORT, by default 127.0.0.1:9464. There is neither encryption nor a
 * password: a loopback address restricts access to this machine. An IPv6 address is written in brackets
 * and the parameter in quotes: listen=\"[::1]:9464\". Port 0 selects a free port, which is logged
 * (INFO). Each process needs a port of its own; if the port cannot be used, a warning states the reason
 * and the pipeline runs without metrics.
 *
 * A server on a loopback address answers only requests whose Host header is localhost or a loopback
 * address (else 403), so that a web page cannot read the metrics through DNS rebinding. At most 32
 * connections are open; a further one replaces the oldest without a complete request. A request must
 * arrive within 2 s and be read by the client within 10 s.
 *
 * Workers of supervised elements do not inherit the tracer, because its port is in use. The application
 * serves their restarts, processor time and memory, and the statistics of the jkvm elements inside, which
 * the worker reports once a second. The label element is then the name of the supervised element and that
 * of the inner one: "jkvmsupervisedsrc0/jkvmaudiosrc0".
 *
 * Statistics are read during a scrape, from the server's thread. The tracer has no hooks for buffers,
 * but with any tracer GStreamer checks for hooks at each buffer, which takes some thousand instructions
 * per frame (docs/internals/structure.md).
 *
 * Every metric has the labels element (the name, with those of its parent bins) and pipeline. Names that
 * begin with jetkvm_ are those of JetKVM's own dashboards. Most of them exist once for the output
 * (jetkvm_audio_...) and once for the microphone (jetkvm_microphone_...), according to the element's
 * property direction. Of elements without that property, sinks belong to the microphone and others to
 * the output; elements inside jkvmsupervisedsrc or jkvmsupervisedsink belong to the same path as the
 * bin.
 *
 * docs/examples contains a scrape configuration (prometheus.yml) and a dashboard
 * (grafana-dashboard.json).
 *
 * ## Metrics
 *
 * An element has a metric if it has the field. Times are converted to seconds, bitrates to kbit/s, and
 * memory in percent to the share of the machine's memory; all other values are those of the fields.
 *
 * TABLE: metrics
 *
 * ## Latencies
 *
 * The histogram jkvm_latency_seconds has one series for each stage that an element measures. Latencies
 * from the capture are cumulative: the contribution of a stage is the difference to the stage before.
 *
 * TABLE: stages
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmmetrics.h"

#include "collector.h"
#include "common/element_type.h"
#include "metric_server.h"

GST_DEBUG_CATEGORY_STATIC(jkvm_metrics_debug);
#define GST_CAT_DEFAULT jkvm_metrics_debug

namespace {

using namespace jkvm;

class Metrics {
public:
    explicit Metrics(GstJkvmMetrics *tracer) : tracer_(GST_TRACER(tracer)) {}

    /// Starts the server. Requires the parameters of the tracer.
    void start();
    void add(GstElement *element) { collector_->add(element); }

private:
    [[nodiscard]] std::string parameters() const;

    GstTracer *tracer_;
    std::shared_ptr<Collector> collector_ = std::make_shared<Collector>();
    std::unique_ptr<MetricServer> server_;
};

} // namespace

struct _GstJkvmMetrics {
    GstTracer parent;
};

JKVM_DEFINE_OBJECT(GstJkvmMetrics, gst_jkvm_metrics, GST_TYPE_TRACER, Metrics)

static void gst_jkvm_metrics_configure_class(GstJkvmMetricsClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_metrics_debug, "jkvmmetrics", 0, "Prometheus metrics");

    G_OBJECT_CLASS(klass)->constructed = [](GObject *self) noexcept {
        G_OBJECT_CLASS(gst_jkvm_metrics_parent_class)->constructed(self);
        impl(self).start();
    };
}

namespace {

constexpr auto default_address = "127.0.0.1:9464";

/// Returns the parameters from GST_TRACERS: "listen=127.0.0.1:9464", or an empty string.
std::string Metrics::parameters() const
{
    gchar *text = nullptr;
    g_object_get(tracer_, "params", &text, nullptr);
    std::string copy = text != nullptr ? text : "";
    g_free(text);
    return copy;
}

void Metrics::start()
{
    std::string address = default_address;
    const auto parameters = this->parameters();
    if (!parameters.empty()) {
        auto *parsed = gst_structure_from_string(("jkvmmetrics," + parameters).c_str(), nullptr);
        const auto *listen =
            parsed != nullptr ? gst_structure_get_string(parsed, "listen") : nullptr;
        // Parameters that cannot be parsed are reported below as an invalid address.
        address = listen != nullptr ? listen : parameters;
        if (parsed != nullptr)
            gst_structure_free(parsed);
    }
    auto server = MetricServer::start(address, collector_);
    if (!server) {
        g_warning("jkvmmetrics: could not serve metrics at \"%s\": %s", address.c_str(),
                  server.error().detail.c_str());
        return;
    }
    server_ = std::move(*server);
    const auto port = std::to_string(server_->port()); // differs from the parameter if that is 0
    GST_INFO_OBJECT(tracer_, "serving http://%s%s/metrics",
                    address.substr(0, address.rfind(':') + 1).c_str(), port.c_str());
    const auto hook = [](GObject *self, GstClockTime, GstElement *element) noexcept {
        impl(self).add(element);
    };
    gst_tracing_register_hook(
        tracer_, "element-new",
        G_CALLBACK(static_cast<void (*)(GObject *, GstClockTime, GstElement *) noexcept>(hook)));
}

} // namespace
