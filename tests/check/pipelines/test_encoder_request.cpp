// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that a receiver's encoder request travels through the socket to the encoder.
#include "support/gst_test.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

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
    /// A sender whose encoder differs from every default, and a receiver.
    EncoderRequestTest()
        : path_(directory_.file("a.sock")),
          sending_("audiotestsrc is-live=true samplesperbuffer=480 num-buffers=-1 ! "
                   "audio/x-raw,rate=48000,channels=2 ! opusenc bitrate=320000 "
                   "bitrate-type=cbr frame-size=10 ! "
                   "identity name=tap ! jkvmipcsink name=sending dialect=v2 socket-path=" +
                   path_),
          receiving_("jkvmipcsrc name=src dialect=v2 socket-path=" + path_ +
                     " ! fakesink name=sink")
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

TEST_F(EncoderRequestTest, KeepsTheStreamsValuesOfFieldsItDoesNotName)
{
    connect();
    EXPECT_TRUE(push(request("complexity", G_TYPE_UINT, 3U)));
    const auto message = arrived();
    EXPECT_EQ(field(message, "complexity"), 3u);
    EXPECT_NEAR(field(message, "bitrate"), 320000, 3200);
    EXPECT_EQ(field(message, "frame-size"), 480u);
    gboolean vbr = TRUE;
    EXPECT_TRUE(gst_structure_get_boolean(gst_message_get_structure(message.get()), "vbr", &vbr));
    EXPECT_FALSE(vbr);
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

TEST_F(EncoderRequestTest, IsMadeByThePropertiesOfTheReceivingElement)
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
    // The estimated own settings may precede it, for a sender that cannot restore them.
    auto last = arrived();
    if (!gst_structure_has_field(gst_message_get_structure(last.get()), "withdrawn"))
        last = arrived();
    EXPECT_TRUE(gst_structure_has_field(gst_message_get_structure(last.get()), "withdrawn"));
}

TEST_F(EncoderRequestTest, EndsWithTheReceivingElement)
{
    g_object_set(receiving_.element("src"), "bitrate", 48000, nullptr);
    connect();
    EXPECT_EQ(field(arrived(), "bitrate"), 48000u);
    receiving_.set_state(GST_STATE_NULL);
    EXPECT_TRUE(gst_structure_has_field(gst_message_get_structure(arrived().get()), "withdrawn"));
    // The next start makes no request that has been unset meanwhile.
    g_object_set(receiving_.element("src"), "bitrate", 0, "complexity", 4, nullptr);
    receiving_.play();
    const auto request = arrived();
    EXPECT_EQ(field(request, "complexity"), 4u);
    EXPECT_NEAR(field(request, "bitrate"), 320000, 3200);
}

TEST_F(EncoderRequestTest, IsUnsupportedForTheExpectedLossInEveryDialect)
{
    g_object_set(receiving_.element("src"), "packet-loss-percentage", 5, nullptr);
    connect();
    g_object_set(receiving_.element("src"), "packet-loss-percentage", 6, nullptr);
    EXPECT_EQ(testing::stat(receiving_.element("src"), "requests-unsupported"), 2u);
}

TEST(UnsupportedEncoderRequest, IsReportedOnceAndCounted)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    Pipeline sending("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                     "jkvmipcsink dialect=v1 socket-path=" +
                     path);
    Pipeline receiving("jkvmipcsrc name=src quality=low stats-interval=100 socket-path=" + path +
                       " ! fakesink");
    sending.play();
    receiving.play();
    const auto warning = receiving.wait_for(GST_MESSAGE_WARNING);
    ASSERT_TRUE(warning);
    GError *error = nullptr;
    gchar *debug = nullptr;
    gst_message_parse_warning(warning.get(), &error, &debug);
    EXPECT_STREQ(error->message, "The sender cannot receive the request for \"quality\".");
    EXPECT_NE(std::string(debug).find("the peer's dialect is v1"), std::string::npos) << debug;
    g_clear_error(&error);
    g_free(debug);
    auto *src = receiving.element("src");
    EXPECT_EQ(testing::stat(src, "requests-unsupported"), 1u);

    g_object_set(src, "bitrate", 48000, nullptr);
    const auto expect_no_warning = [&] {
        const auto message = receiving.wait_for(
            static_cast<GstMessageType>(GST_MESSAGE_WARNING | GST_MESSAGE_ELEMENT));
        ASSERT_TRUE(message);
        ASSERT_NE(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_WARNING);
    };
    while (testing::stat(src, "requests-unsupported") < 2 && !HasFatalFailure())
        expect_no_warning();
    expect_no_warning();
}

} // namespace
} // namespace jkvm
