// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that a receiver's encoder request travels through the socket to the encoder.
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace jkvm {
namespace {

using testing::Pipeline;

/// Posts a copy of each encoder request that passes the pad as an element message.
GstPadProbeReturn post_request(GstPad *pad, GstPadProbeInfo *info, gpointer)
{
    auto *event = GST_PAD_PROBE_INFO_EVENT(info);
    if (gst_event_has_name(event, "jkvm-encoder-request")) {
        auto *element = GST_ELEMENT(GST_OBJECT_PARENT(pad));
        gst_element_post_message(
            element, gst_message_new_element(GST_OBJECT(element),
                                             gst_structure_copy(gst_event_get_structure(event))));
    }
    return GST_PAD_PROBE_OK;
}

class EncoderRequestTest : public ::testing::Test {
protected:
    EncoderRequestTest() : EncoderRequestTest("") {}
    /// A sender whose encoder differs from every default, and a receiver with the default settings.
    /// `options`: of the sender.
    explicit EncoderRequestTest(const std::string &options)
        : path_(directory_.file("a.sock")),
          sending_("audiotestsrc is-live=true samplesperbuffer=480 num-buffers=-1 ! "
                   "audio/x-raw,rate=48000,channels=2 ! opusenc bitrate=320000 "
                   "bitrate-type=cbr frame-size=10 ! "
                   "identity name=tap ! jkvmipcsink name=sending socket-path=" +
                   path_ + " " + options),
          receiving_("jkvmipcsrc name=src socket-path=" + path_ + " ! fakesink name=sink")
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(sending_.element("tap"), "src"));
        gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, post_request, nullptr,
                          nullptr);
    }
    void connect()
    {
        sending_.play();
        receiving_.play();
        receiving_.wait_for_element_message("jkvm-link", "connected");
    }
    /// Takes the structure. Sends it from the sink, as an element downstream would.
    gboolean push(GstStructure *fields)
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(receiving_.element("sink"), "sink"));
        return gst_pad_push_event(pad.get(),
                                  gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, fields));
    }
    static GstStructure *request(const char *field, GType type, auto value)
    {
        return gst_structure_new("jkvm-encoder-request", field, type, value, nullptr);
    }
    /// Returns the next request that arrives at the encoder.
    GstRef<GstMessage> arrived()
    {
        return sending_.wait_for_element_message("jkvm-encoder-request");
    }
    static guint field(const GstRef<GstMessage> &message, const char *name)
    {
        guint value = G_MAXUINT;
        EXPECT_TRUE(gst_structure_get_uint(gst_message_get_structure(message.get()), name, &value))
            << name;
        return value;
    }
    static bool has_field(const GstRef<GstMessage> &message, const char *name)
    {
        return gst_structure_has_field(gst_message_get_structure(message.get()), name) != FALSE;
    }

    testing::TemporaryDirectory directory_;
    std::string path_;
    Pipeline sending_;
    Pipeline receiving_;
};

TEST_F(EncoderRequestTest, ReachesTheSendersPipeline)
{
    connect();
    EXPECT_TRUE(push(gst_structure_new("jkvm-encoder-request", "bitrate", G_TYPE_UINT, 32000, "dtx",
                                       G_TYPE_BOOLEAN, TRUE, nullptr)));
    const auto message = arrived();
    EXPECT_EQ(field(message, "bitrate"), 32000u);
    gboolean dtx = FALSE;
    EXPECT_TRUE(gst_structure_get_boolean(gst_message_get_structure(message.get()), "dtx", &dtx));
    EXPECT_TRUE(dtx);
}

TEST_F(EncoderRequestTest, IsInTheStatisticsOfTheSender)
{
    auto *sink = sending_.element("sending");
    connect();
    EXPECT_FALSE(gst_structure_has_field(testing::stats_of(sink).get(), "encoder-request"));
    EXPECT_TRUE(push(request("bitrate", G_TYPE_UINT, 32000U)));
    arrived();
    const auto stats = testing::stats_of(sink);
    const auto *clients = gst_structure_get_value(stats.get(), "clients");
    ASSERT_EQ(gst_value_array_get_size(clients), 1u);
    const auto *client = gst_value_get_structure(gst_value_array_get_value(clients, 0));
    gboolean may_steer = FALSE;
    EXPECT_TRUE(gst_structure_get_boolean(client, "may-steer", &may_steer));
    EXPECT_TRUE(may_steer);
    for (const auto *owner : {static_cast<const GstStructure *>(stats.get()), client}) {
        const auto *value = gst_structure_get_value(owner, "encoder-request");
        ASSERT_NE(value, nullptr);
        guint bitrate = 0;
        EXPECT_TRUE(gst_structure_get_uint(gst_value_get_structure(value), "bitrate", &bitrate));
        EXPECT_EQ(bitrate, 32000u);
    }
}

TEST_F(EncoderRequestTest, HasNoFieldsThatItDoesNotName)
{
    connect();
    EXPECT_TRUE(push(request("complexity", G_TYPE_UINT, 3U)));
    const auto message = arrived();
    EXPECT_EQ(field(message, "complexity"), 3u);
    for (const char *name : {"rate", "channels", "frame-size", "bitrate", "vbr", "signal",
                             "bandwidth", "dtx", "packet-loss-percentage"})
        EXPECT_FALSE(has_field(message, name)) << name;
}

TEST_F(EncoderRequestTest, KeepsTheFieldsOfEarlierRequests)
{
    connect();
    EXPECT_TRUE(push(request("bitrate", G_TYPE_UINT, 64000U)));
    EXPECT_EQ(field(arrived(), "bitrate"), 64000u);
    EXPECT_TRUE(push(request("complexity", G_TYPE_UINT, 7U)));
    const auto message = arrived();
    EXPECT_EQ(field(message, "complexity"), 7u);
    EXPECT_EQ(field(message, "bitrate"), 64000u);
}

TEST_F(EncoderRequestTest, MayNameAQualityBesidesOtherFields)
{
    connect();
    EXPECT_TRUE(push(gst_structure_new("jkvm-encoder-request", "bitrate", G_TYPE_UINT, 48000,
                                       "quality", G_TYPE_STRING, "low", nullptr)));
    const auto low = arrived();
    EXPECT_EQ(field(low, "bitrate"), 48000u);
    EXPECT_EQ(field(low, "complexity"), 1u);
    EXPECT_EQ(field(low, "rate"), 24000u);
    EXPECT_EQ(field(low, "frame-size"), 960u);
    EXPECT_TRUE(push(gst_structure_new("jkvm-encoder-request", "rate", G_TYPE_UINT, 48000,
                                       "quality", G_TYPE_STRING, "low", nullptr)));
    const auto resampled = arrived();
    EXPECT_EQ(field(resampled, "rate"), 48000u);
    EXPECT_EQ(field(resampled, "frame-size"), 1920u) << "40 ms, as at the rate of the preset";
    EXPECT_TRUE(push(request("quality", G_TYPE_STRING, "ultra")));
    const auto ultra = arrived();
    EXPECT_EQ(field(ultra, "bitrate"), 320000u);
    EXPECT_EQ(field(ultra, "frame-size"), 480u);
}

TEST_F(EncoderRequestTest, AcceptsEveryIntegerType)
{
    connect();
    EXPECT_TRUE(push(request("bitrate", G_TYPE_INT, 64000)));
    EXPECT_EQ(field(arrived(), "bitrate"), 64000u);
    EXPECT_TRUE(push(request("bitrate", G_TYPE_INT64, G_GINT64_CONSTANT(32000))));
    EXPECT_EQ(field(arrived(), "bitrate"), 32000u);
    EXPECT_TRUE(push(request("bitrate", G_TYPE_UINT64, G_GUINT64_CONSTANT(24000))));
    EXPECT_EQ(field(arrived(), "bitrate"), 24000u);
}

TEST_F(EncoderRequestTest, IsRefusedWithAWarningIfAFieldIsUnknownOrOutOfRange)
{
    connect();
    for (auto *fields :
         {request("bitrte", G_TYPE_UINT, 64000U), request("bitrate", G_TYPE_UINT, 10U),
          request("bitrate", G_TYPE_INT, -1), request("complexity", G_TYPE_UINT, 11U),
          request("quality", G_TYPE_STRING, "unset"), request("quality", G_TYPE_INT, 1),
          request("bitrate", G_TYPE_STRING, "64000"), request("frame-size", G_TYPE_UINT, 7000U)}) {
        EXPECT_FALSE(push(fields));
        EXPECT_TRUE(receiving_.wait_for(GST_MESSAGE_WARNING));
    }
}

TEST_F(EncoderRequestTest, MayBeSentToTheReceivingElement)
{
    connect();
    EXPECT_TRUE(gst_element_send_event(
        receiving_.element("src"),
        gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, request("bitrate", G_TYPE_UINT, 48000U))));
    EXPECT_EQ(field(arrived(), "bitrate"), 48000u);
}

class EncoderRequestDialects : public EncoderRequestTest,
                               public ::testing::WithParamInterface<const char *> {
protected:
    EncoderRequestDialects() : EncoderRequestTest(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(All, EncoderRequestDialects,
                         ::testing::Values("", "dialect=auto", "dialect=v1", "dialect=v2",
                                           "dialect=v3"));

TEST_P(EncoderRequestDialects, AreMadeByThePropertiesOfTheReceivingElement)
{
    auto *src = receiving_.element("src");
    gst_util_set_object_arg(G_OBJECT(src), "quality", "low");
    gst_util_set_object_arg(G_OBJECT(src), "frame-size", "20");
    connect();
    const auto request = arrived();
    EXPECT_EQ(field(request, "bitrate"), 32000u);
    EXPECT_EQ(field(request, "complexity"), 1u);
    EXPECT_EQ(field(request, "frame-size"), 480u);
    EXPECT_EQ(field(request, "rate"), 24000u);

    g_object_set(src, "bitrate", 48000, nullptr); // while PLAYING
    EXPECT_EQ(field(arrived(), "bitrate"), 48000u);
    g_object_set(src, "bitrate", 0, nullptr);
    EXPECT_EQ(field(arrived(), "bitrate"), 32000u);

    gst_util_set_object_arg(G_OBJECT(src), "frame-size", "unset");
    EXPECT_EQ(field(arrived(), "frame-size"), 960u);
    gst_util_set_object_arg(G_OBJECT(src), "quality", "unset");
    EXPECT_TRUE(has_field(arrived(), "withdrawn"));

    g_object_set(src, "packet-loss-percentage", 5, nullptr);
    const auto loss = arrived();
    EXPECT_EQ(field(loss, "packet-loss-percentage"), 5u);
    EXPECT_FALSE(has_field(loss, "bitrate"));
    EXPECT_EQ(testing::stat(src, "requests-unsupported"), 0u);
}

TEST_F(EncoderRequestTest, EndsWithTheReceivingElement)
{
    g_object_set(receiving_.element("src"), "bitrate", 48000, nullptr);
    connect();
    EXPECT_EQ(field(arrived(), "bitrate"), 48000u);
    receiving_.set_state(GST_STATE_NULL);
    EXPECT_TRUE(has_field(arrived(), "withdrawn"));
    // The next start makes no request that has been unset meanwhile.
    g_object_set(receiving_.element("src"), "bitrate", 0, "complexity", 4, nullptr);
    receiving_.play();
    const auto request = arrived();
    EXPECT_EQ(field(request, "complexity"), 4u);
    EXPECT_FALSE(has_field(request, "bitrate"));
}

/// Sends frames to one client, like a JetKVM: without a side channel.
class JetKvmSender {
public:
    explicit JetKvmSender(const std::string &path)
        : listener_(testing::listen_at(path)), thread_([this] { run(); })
    {}
    ~JetKvmSender()
    {
        is_ending_ = true;
        thread_.join();
    }

private:
    void run()
    {
        const auto client = testing::accept_from(listener_.get());
        const std::vector<std::uint8_t> silence{0xFC, 0xFF, 0xFE};
        while (!is_ending_) {
            testing::send_all(client.get(),
                              testing::message_v1("UOKJ", 0, testing::wall_clock_ns(), silence));
            std::this_thread::sleep_for(std::chrono::milliseconds(20)); // the frame's duration
        }
    }

    UniqueFd listener_;
    std::atomic<bool> is_ending_{false};
    std::thread thread_;
};

class UnsupportedEncoderRequest : public ::testing::Test {
protected:
    /// `properties`: of the receiver.
    void receive(const std::string &properties)
    {
        receiving_.emplace("jkvmipcsrc name=src stats-interval=100 socket-path=" + path_ + " " +
                           properties + " ! fakesink name=sink");
        receiving_->play();
    }
    /// Expects a warning whose texts contain these.
    void expect_warning(const std::string &text, const std::string &dialect)
    {
        const auto warning = receiving_->wait_for(GST_MESSAGE_WARNING);
        ASSERT_TRUE(warning);
        GError *error = nullptr;
        gchar *debug = nullptr;
        gst_message_parse_warning(warning.get(), &error, &debug);
        EXPECT_EQ(error->message, text);
        EXPECT_NE(std::string(debug).find("its dialect is " + dialect), std::string::npos) << debug;
        g_clear_error(&error);
        g_free(debug);
    }
    /// Expects that the statistics show this many requests, and no further warning.
    void expect_count_without_warning(std::uint64_t count)
    {
        bool has_reached_count = false;
        do {
            // Statistics are posted at an interval, so one more message follows the count.
            has_reached_count = testing::stat(src(), "requests-unsupported") >= count;
            const auto message = receiving_->wait_for(
                static_cast<GstMessageType>(GST_MESSAGE_WARNING | GST_MESSAGE_ELEMENT));
            ASSERT_TRUE(message);
            ASSERT_NE(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_WARNING);
        } while (!has_reached_count);
        EXPECT_EQ(testing::stat(src(), "requests-unsupported"), count);
    }
    GstElement *src() { return receiving_->element("src"); }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    std::optional<Pipeline> receiving_;
    JetKvmSender sender_{path_};
};

TEST_F(UnsupportedEncoderRequest, IsReportedOnceAndCounted)
{
    receive("quality=low");
    expect_warning("The sender cannot receive the request for \"quality\".", "v1");
    g_object_set(src(), "bitrate", 48000, nullptr);
    expect_count_without_warning(2);
}

TEST_F(UnsupportedEncoderRequest, OfAnElementDownstreamIsReported)
{
    receive("");
    receiving_->wait_for_element_message("jkvm-link", "connected");
    const auto pad =
        GstRef<GstPad>::adopt(gst_element_get_static_pad(receiving_->element("sink"), "sink"));
    gst_pad_push_event(pad.get(),
                       gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                            gst_structure_new("jkvm-encoder-request", "bitrate",
                                                              G_TYPE_UINT, 32000U, nullptr)));
    expect_warning("The sender cannot receive the request for \"jkvm-encoder-request\".", "v1");
}

TEST_F(UnsupportedEncoderRequest, ForTheExpectedLossIsReportedInV2)
{
    receive("dialect=v2 bitrate=48000 packet-loss-percentage=5");
    expect_warning("The sender cannot receive the request for \"packet-loss-percentage\".", "v2");
    expect_count_without_warning(1);
}

} // namespace
} // namespace jkvm
