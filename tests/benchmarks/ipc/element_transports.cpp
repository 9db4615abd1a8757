// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements transports with elements. The elements around the transport are the same for all.
#include "benchmarks/ipc/ends.h"
#include "benchmarks/ipc/frame_clock.h"
#include "benchmarks/pipeline.h"
#include "core/base/unique_fd.h"

#include <gst/gst.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace jkvm::benchmark {

namespace {

class ElementSender : public SendingEnd {
public:
    ElementSender(const Plan &plan, const std::string &sink, MessageWriter &writer)
        : writer_(writer),
          pipeline_("fakesrc format=time filltype=nothing sizetype=fixed sizemax=" +
                    std::to_string(message_size) +
                    " ! capsfilter name=messages caps=audio/x-opus,rate=48000,channels=2,"
                    "channel-mapping-family=0 ! " +
                    (plan.slow_us > 0
                         ? "identity sleep-time=" + std::to_string(plan.slow_us) + " ! "
                         : "") +
                    sink)
    {
        pipeline_.watch(
            "messages", "src",
            [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
                return static_cast<ElementSender *>(self)->write(info);
            },
            this);
        pipeline_.play();
    }

    [[nodiscard]] unsigned port() const
    {
        gint port = 0;
        g_object_get(pipeline_.element("server").get(), "current-port", &port, nullptr);
        return static_cast<unsigned>(port);
    }

private:
    GstPadProbeReturn write(GstPadProbeInfo *info)
    {
        auto *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        GstMapInfo map;
        if (gst_buffer_map(buffer, &map, GST_MAP_WRITE) == 0)
            std::abort();
        const auto time = writer_.write(std::as_writable_bytes(std::span(map.data, map.size)));
        gst_buffer_unmap(buffer, &map);
        if (!time) {
            gst_buffer_unref(buffer);
            GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_EOS;
            return GST_PAD_PROBE_HANDLED;
        }
        // The pipeline's clock is CLOCK_MONOTONIC, as is `time`.
        GST_BUFFER_PTS(buffer) =
            static_cast<GstClockTime>(*time) - gst_element_get_base_time(pipeline_.get());
        return GST_PAD_PROBE_OK;
    }

    MessageWriter &writer_;
    Pipeline pipeline_;
};

class ElementReceiver : public ReceivingEnd {
public:
    ElementReceiver(const std::string &source, Listener &listener)
        : listener_(listener), pipeline_(source + " ! fakesink name=sink sync=false async=false")
    {
        pipeline_.watch(
            "sink", "sink",
            [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
                static_cast<ElementReceiver *>(self)->take(GST_PAD_PROBE_INFO_BUFFER(info));
                return GST_PAD_PROBE_OK;
            },
            this);
        const auto clock = make_frame_clock(listener);
        gst_pipeline_use_clock(GST_PIPELINE(pipeline_.get()), clock.get());
        gst_element_set_start_time(pipeline_.get(), GST_CLOCK_TIME_NONE);
        gst_element_set_base_time(pipeline_.get(), 0);
        pipeline_.play();
    }

private:
    void take(GstBuffer *buffer)
    {
        GstMapInfo map;
        if (gst_buffer_map(buffer, &map, GST_MAP_READ) == 0)
            std::abort();
        listener_.on_message(std::as_bytes(std::span(map.data, map.size)));
        gst_buffer_unmap(buffer, &map);
    }

    Listener &listener_;
    Pipeline pipeline_;
};

constexpr auto sink_settings = " sync=false async=false";

class UnixSockets : public Transport {
public:
    UnixSockets(const Plan &plan, std::string directory, std::string sink, std::string source)
        : plan_(plan), directory_(std::move(directory)), sink_(std::move(sink)),
          source_(std::move(source))
    {}
    std::unique_ptr<SendingEnd> serve(unsigned stream, MessageWriter &writer) override
    {
        return std::make_unique<ElementSender>(plan_, sink_ + sink_settings + at(stream), writer);
    }
    std::unique_ptr<ReceivingEnd> listen(unsigned stream, Listener &listener) override
    {
        return std::make_unique<ElementReceiver>(source_ + at(stream), listener);
    }

private:
    [[nodiscard]] std::string at(unsigned stream) const
    {
        return " socket-path=" + directory_ + "/" + std::to_string(stream);
    }

    const Plan plan_;
    const std::string directory_;
    const std::string sink_;
    const std::string source_;
};

class Tcp : public Transport {
public:
    Tcp(const Plan &plan, Exchange &exchange) : plan_(plan), exchange_(exchange) {}

    std::unique_ptr<SendingEnd> serve(unsigned stream, MessageWriter &writer) override
    {
        auto sender = std::make_unique<ElementSender>(
            plan_,
            std::string("gdppay ! tcpserversink name=server host=127.0.0.1 port=0") + sink_settings,
            writer);
        exchange_.ports.at(stream) = sender->port();
        return sender;
    }
    std::unique_ptr<ReceivingEnd> listen(unsigned stream, Listener &listener) override
    {
        return std::make_unique<ElementReceiver>(
            "tcpclientsrc host=127.0.0.1 port=" + std::to_string(exchange_.ports.at(stream)) +
                " ! gdpdepay",
            listener);
    }

private:
    const Plan plan_;
    Exchange &exchange_;
};

class Descriptors : public Transport {
public:
    explicit Descriptors(const Plan &plan) : plan_(plan), pairs_(plan.streams)
    {
        if (plan.listeners != 1)
            throw std::invalid_argument("the transport fd supports one listener only");
        for (auto &[sending, receiving] : pairs_) {
            std::array<int, 2> fds{};
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
                throw std::system_error(errno, std::generic_category(), "socketpair");
            sending.reset(fds[0]);
            receiving.reset(fds[1]);
        }
    }
    std::unique_ptr<SendingEnd> serve(unsigned stream, MessageWriter &writer) override
    {
        return std::make_unique<ElementSender>(
            plan_,
            "gdppay ! fdsink fd=" + std::to_string(pairs_.at(stream).first.get()) + sink_settings,
            writer);
    }
    std::unique_ptr<ReceivingEnd> listen(unsigned stream, Listener &listener) override
    {
        return std::make_unique<ElementReceiver>(
            "fdsrc fd=" + std::to_string(pairs_.at(stream).second.get()) + " ! gdpdepay", listener);
    }

private:
    const Plan plan_;
    std::vector<std::pair<UniqueFd, UniqueFd>> pairs_;
};

} // namespace

std::unique_ptr<Transport> make_transport(const std::string &name, const Plan &plan,
                                          Exchange &exchange, const std::string &directory)
{
    if (name == "jkvm") {
        // max-queue-time limits the duration that jkvmipcsink queues for a slow reader. Here the
        // frames of many seconds arrive within one second, so the default would drop some.
        const std::string queue = plan.pace < frame_duration ? " max-queue-time=10000" : "";
        return std::make_unique<UnixSockets>(plan, directory,
                                             "jkvmipcsink max-clients=1024" + queue,
                                             "jkvmipcsrc timestamp-mode=arrival");
    }
    if (name == "shm")
        return std::make_unique<UnixSockets>(plan, directory, "shmsink wait-for-connection=false",
                                             "shmsrc is-live=true");
    if (name == "tcp")
        return std::make_unique<Tcp>(plan, exchange);
    if (name == "fd")
        return std::make_unique<Descriptors>(plan);
    if (name == "raw")
        return make_raw_transport(plan, directory);
    throw std::invalid_argument("unknown transport " + name);
}

} // namespace jkvm::benchmark
