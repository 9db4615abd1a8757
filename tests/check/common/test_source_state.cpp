// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/gst_ref.h"
#include "common/source_state.h"

#include <gtest/gtest.h>

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

wire::SourceState complete_state()
{
    return {.device_state = "run",
            .reason = "none",
            .muted = true,
            .quality = "custom",
            .bitrate = 64000,
            .complexity = 5,
            .frame = 2500us,
            .dtx = false,
            .packet_loss_percentage = 10,
            .decided_by = "request",
            .listeners = 3};
}

wire::SourceState round_trip(const wire::SourceState &state)
{
    const auto event = GstRef<GstEvent>::adopt(make_source_state(state));
    return parse_source_state(event.get());
}

TEST(SourceState, CrossesAnEventUnchanged)
{
    EXPECT_EQ(round_trip(complete_state()), complete_state());
    EXPECT_EQ(round_trip({}), wire::SourceState());
    EXPECT_EQ(round_trip({.device_state = "lost", .frame = 60ms}),
              (wire::SourceState{.device_state = "lost", .frame = 60ms}));
}

TEST(SourceState, IsAStickyEventWithThePropertiesNamesAndNicks)
{
    const auto event = GstRef<GstEvent>::adopt(make_source_state(complete_state()));
    EXPECT_TRUE(is_source_state(event.get()));
    gchar *text = gst_structure_to_string(gst_event_get_structure(event.get()));
    EXPECT_STREQ(text,
                 "jkvm-source, device-state=(string)run, reason=(string)none, "
                 "muted=(boolean)true, quality=(string)custom, bitrate=(int)64000, "
                 "complexity=(int)5, frame-size=(string)2.5, dtx=(boolean)false, "
                 "packet-loss-percentage=(int)10, decided-by=(string)request, listeners=(uint)3;");
    g_free(text);
}

TEST(SourceState, IgnoresFieldsOfAnotherTypeOrImpossibleValue)
{
    const auto event = GstRef<GstEvent>::adopt(gst_event_new_custom(
        GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
        gst_structure_new(source_state_name, "device-state", G_TYPE_STRING, "Not a nick", "reason",
                          G_TYPE_STRING, "longer-than-a-nick-may-be", "muted", G_TYPE_INT, 1,
                          "bitrate", G_TYPE_INT, -1, "frame-size", G_TYPE_STRING, "3", "dtx",
                          G_TYPE_BOOLEAN, TRUE, "other", G_TYPE_INT, 7, nullptr)));
    EXPECT_EQ(parse_source_state(event.get()), wire::SourceState{.dtx = true});
}

TEST(SourceState, IsNotTakenFromOtherEvents)
{
    const auto other = GstRef<GstEvent>::adopt(
        gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, gst_structure_new_empty("other")));
    const auto upstream = GstRef<GstEvent>::adopt(gst_event_new_custom(
        GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new_empty(source_state_name)));
    EXPECT_FALSE(is_source_state(other.get()));
    EXPECT_FALSE(is_source_state(upstream.get()));
}

} // namespace
