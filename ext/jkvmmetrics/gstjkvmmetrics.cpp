// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:tracer-jkvmmetrics
 * @title: jkvmmetrics
 * @short_description: serves the statistics of the elements to Prometheus
 *
 * A tracer: no pipeline has to be changed. It is switched on from outside, and then serves what the
 * jkvm elements of the process have in their property stats, in the text format of Prometheus, at
 * http://ADDRESS:PORT/metrics. Elements may come and go meanwhile.
 *
 * |[
 * GST_TRACERS="jkvmmetrics" gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink
 * GST_TRACERS="jkvmmetrics(listen=127.0.0.1:9465)" gst-launch-1.0 jkvmipcsrc ! opusdec plc=true ! autoaudiosink
 * curl 127.0.0.1:9464/metrics
 * ]|
 *
 * listen is ADDRESS:PORT, by default 127.0.0.1:9464, which only this machine can reach: there is
 * neither encryption nor a password. With port 0 it is a free one; a line of the log (INFO) says
 * which. An IPv6 address stands in brackets, the whole in quotes:
 * listen=\"[::1]:9464\". Each process needs a port of its own. If it cannot have that, it says why in
 * a warning, and the pipeline runs as it would without. The workers of supervised elements do not get
 * this tracer with their environment: their port would be that of the application, which has their
 * restarts, processor time and memory among its own statistics. What is to serve the statistics of the
 * elements inside is run as a service of its own (docs/supervision.md).
 *
 * Statistics are read when somebody asks, from a thread of the HTTP server. No hook of the tracer runs
 * with the buffers; but as soon as there is any tracer, GStreamer looks for hooks at each buffer, which
 * takes some thousand instructions a frame (docs/internals/structure.md has figures). The HTTP server takes up to two
 * seconds to stop, and the process so much longer to end.
 *
 * Every metric has the labels element (its name, behind those of bins around it) and pipeline. The
 * names that begin with jetkvm_ are those of JetKVM's own dashboards. Most of them exist once for the
 * output (jetkvm_audio_...) and once for the microphone (jetkvm_microphone_...); an element's property
 * direction says which. Without that property, sinks count for the microphone and others for the
 * output; what is inside jkvmsupervisedsrc or jkvmsupervisedsink counts as that does.
 *
 * docs/examples has a scrape configuration (prometheus.yml) and a dashboard (grafana-dashboard.json).
 *
 * ## Metrics
 *
 * An element has the metrics whose field it has. A counter's value is the field's, and a gauge's too,
 * but that times are in seconds, bitrates in kbit/s, and percents of memory those of the machine's.
 *
 * TABLE: metrics
 *
 * ## Latencies
 *
 * The histogram jkvm_latency_seconds has one series for each stage that an element knows. Those from
 * the capture on are longer from stage to stage; what a stage adds is the difference.
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

    /// Once the parameters are known.
    void start();
    void add(GstElement *element) { collector_->add(element); }

private:
    [[nodiscard]] std::string parameters() const;

    GstTracer *tracer_;
    std::shared_ptr<Collector> collector_ = std::make_shared<Collector>();
    std::unique_ptr<prometheus::Exposer> server_;
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

/// "listen=127.0.0.1:9464", as it stands in GST_TRACERS; empty without.
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
        // What cannot be understood is said to the user below, as it stands.
        address = listen != nullptr ? listen : parameters;
        if (parsed != nullptr)
            gst_structure_free(parsed);
    }
    auto server = serve_metrics(address, collector_);
    if (!server) {
        g_warning("jkvmmetrics: cannot serve metrics at \"%s\": %s", address.c_str(),
                  server.error().detail.c_str());
        return;
    }
    server_ = std::move(*server);
    // With port 0 the kernel has chosen one.
    const auto port = std::to_string(server_->GetListeningPorts().front());
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
