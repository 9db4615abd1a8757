// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the state of an audio source travels through the socket to every receiver.
#include "common/source_state.h"
#include "support/gst_test.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using testing::Pipeline;

class SourceStatePath : public ::testing::TestWithParam<const char *> {
protected:
    SourceStatePath()
        : path_(directory_.file("a.sock")),
          sending_("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! identity name=tap ! "
                   "jkvmipcsink name=sink socket-path=" +
                   path_ + " " + GetParam()),
          receiving_(receiver())
    {}
    [[nodiscard]] std::string receiver() const
    {
        return "jkvmipcsrc name=src socket-path=" + path_ + " ! fakesink name=end";
    }
    /// Describes the source, as jkvmaudiosrc does.
    void describe(const wire::SourceState &state)
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(sending_.element("tap"), "src"));
        gst_pad_push_event(pad.get(), make_source_state(state));
    }
    /// Returns the fields of the receiver's next message.
    static std::string next_state(Pipeline &receiving)
    {
        const auto message = receiving.wait_for_element_message("jkvm-source");
        return message ? text_of(gst_message_get_structure(message.get())) : "nothing";
    }
    static std::string text_of(const GstStructure *structure)
    {
        gchar *text = gst_structure_to_string(structure);
        const std::string result = text;
        g_free(text);
        return result;
    }

    /// Returns the fields of the receiver's sticky event.
    std::string state_downstream()
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(receiving_.element("src"), "src"));
        const auto event = GstRef<GstEvent>::adopt(
            gst_pad_get_sticky_event(pad.get(), GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, 0));
        return event ? text_of(gst_event_get_structure(event.get())) : "nothing";
    }

    testing::TemporaryDirectory directory_;
    std::string path_;
    Pipeline sending_;
    Pipeline receiving_;
};

INSTANTIATE_TEST_SUITE_P(Dialects, SourceStatePath,
                         ::testing::Values("dialect=v1", "dialect=v2", "dialect=v3"));

TEST_P(SourceStatePath, IsPostedWhenAReceiverConnectsAndAtEachChange)
{
    sending_.play();
    receiving_.play();
    EXPECT_EQ(next_state(receiving_), "jkvm-source, listeners=(uint)1;");
    describe({.device_state = "lost", .reason = "unplugged", .muted = false, .quality = "low"});
    EXPECT_EQ(next_state(receiving_),
              "jkvm-source, device-state=(string)lost, reason=(string)unplugged, "
              "muted=(boolean)false, quality=(string)low, listeners=(uint)1;");

    Pipeline second(receiver());
    second.play();
    EXPECT_NE(next_state(second).find("listeners=(uint)2"), std::string::npos);
    EXPECT_NE(next_state(receiving_).find("listeners=(uint)2"), std::string::npos);
    second.set_state(GST_STATE_NULL);
    EXPECT_NE(next_state(receiving_).find("listeners=(uint)1"), std::string::npos);
}

TEST_P(SourceStatePath, IncludesTheMuteOfTheSendingElement)
{
    sending_.play();
    receiving_.play();
    next_state(receiving_);
    g_object_set(sending_.element("sink"), "mute", TRUE, nullptr);
    EXPECT_EQ(next_state(receiving_), "jkvm-source, muted=(boolean)true, listeners=(uint)1;");
}

TEST_P(SourceStatePath, IncludesAMuteThatWasSetBeforeTheStart)
{
    g_object_set(sending_.element("sink"), "mute", TRUE, nullptr);
    sending_.play();
    receiving_.play();
    EXPECT_EQ(next_state(receiving_), "jkvm-source, muted=(boolean)true, listeners=(uint)1;");
}

TEST_P(SourceStatePath, IsInTheStatisticsAndDownstreamOfTheReceiver)
{
    sending_.play();
    receiving_.play();
    next_state(receiving_);
    describe({.device_state = "run"});
    next_state(receiving_);
    const auto stats = testing::stats_of(receiving_.element("src"));
    const auto *value = gst_structure_get_value(stats.get(), "source");
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(text_of(gst_value_get_structure(value)),
              "jkvm-source, device-state=(string)run, listeners=(uint)1;");

    EXPECT_EQ(state_downstream(), "jkvm-source, device-state=(string)run;");

    sending_.set_state(GST_STATE_NULL);
    receiving_.wait_for_element_message("jkvm-link", "closed");
    EXPECT_FALSE(
        gst_structure_has_field(testing::stats_of(receiving_.element("src")).get(), "source"));
    EXPECT_EQ(state_downstream(), "jkvm-source;");
}

TEST_P(SourceStatePath, CrossesTwoSocketsAsRequestsDo)
{
    const auto second_path = directory_.file("b.sock");
    Pipeline relay("jkvmipcsrc stats-interval=100 socket-path=" + path_ +
                   " ! jkvmipcsink socket-path=" + second_path);
    Pipeline far("jkvmipcsrc bitrate=32000 socket-path=" + second_path + " ! fakesink");
    sending_.play();
    describe({.device_state = "run"});
    relay.play();
    far.play();
    auto state = next_state(far);
    while (state.find("device-state=(string)run") == std::string::npos && !HasFailure())
        state = next_state(far);
    EXPECT_NE(state.find("listeners=(uint)1"), std::string::npos) << state;
    // The request arrives with the relay's connection, at the latest with its next statistics.
    const auto has_request = [&] {
        return gst_structure_has_field(testing::stats_of(sending_.element("sink")).get(),
                                       "encoder-request") != FALSE;
    };
    while (!has_request() && !HasFailure())
        relay.wait_for(GST_MESSAGE_ANY);
}

} // namespace
} // namespace jkvm
