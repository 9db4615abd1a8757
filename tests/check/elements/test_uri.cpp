// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the jkvm:// URIs of jkvmipcsink and jkvmipcsrc.
#include "support/gst_test.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

struct Direction {
    GstURIType type;
    const char *element;
};

class Uri : public ::testing::TestWithParam<Direction> {
protected:
    GstRef<GstElement> make(const char *uri, GError **error = nullptr)
    {
        auto *element = gst_element_make_from_uri(GetParam().type, uri, nullptr, error);
        return GstRef<GstElement>::adopt(
            element != nullptr ? GST_ELEMENT(gst_object_ref_sink(element)) : nullptr);
    }
    static std::string uri_of(const GstRef<GstElement> &element)
    {
        gchar *uri = gst_uri_handler_get_uri(GST_URI_HANDLER(element.get()));
        std::string copy = uri;
        g_free(uri);
        return copy;
    }
    static std::string property(const GstRef<GstElement> &element, const char *name)
    {
        GValue value = G_VALUE_INIT;
        g_value_init(
            &value,
            g_object_class_find_property(G_OBJECT_GET_CLASS(element.get()), name)->value_type);
        g_object_get_property(G_OBJECT(element.get()), name, &value);
        gchar *text =
            G_VALUE_HOLDS_STRING(&value) ? g_value_dup_string(&value) : gst_value_serialize(&value);
        std::string copy = text != nullptr ? text : "NULL";
        g_free(text);
        g_value_unset(&value);
        return copy;
    }
};

TEST_P(Uri, CreatesTheElementWithItsProperties)
{
    const auto element =
        make("jkvm:///tmp/a.sock?direction=microphone&mode=listen&dialect=v3&socket-mode=432");
    ASSERT_TRUE(element);
    EXPECT_STREQ(G_OBJECT_TYPE_NAME(element.get()), GetParam().element);
    EXPECT_EQ(property(element, "socket-path"), "/tmp/a.sock");
    EXPECT_EQ(property(element, "direction"), "microphone");
    EXPECT_EQ(property(element, "mode"), "listen");
    EXPECT_EQ(property(element, "dialect"), "v3");
    EXPECT_EQ(property(element, "socket-mode"), "432");
}

TEST_P(Uri, SurvivesARoundTrip)
{
    for (const char *uri :
         {"jkvm:///", "jkvm:///tmp/a.sock", "jkvm:///@abstract", "jkvm:///tmp/two%20words.sock",
          "jkvm:///tmp/a.sock?direction=microphone",
          "jkvm:///tmp/a.sock?mode=connect&dialect=v2"}) {
        const auto element = make(uri);
        ASSERT_TRUE(element) << uri;
        const auto again = make(uri_of(element).c_str());
        ASSERT_TRUE(again) << uri_of(element);
        EXPECT_EQ(uri_of(again), uri_of(element));
        for (const char *name : {"socket-path", "direction", "mode", "dialect"})
            EXPECT_EQ(property(again, name), property(element, name)) << uri;
    }
    EXPECT_EQ(property(make("jkvm:///@abstract"), "socket-path"), "@abstract");
    EXPECT_EQ(uri_of(make("jkvm:///@abstract")), "jkvm:///@abstract");
    EXPECT_EQ(property(make("jkvm:///tmp/two%20words.sock"), "socket-path"), "/tmp/two words.sock");
}

TEST_P(Uri, AcceptsAnyPath)
{
    for (const std::string path : {"/tmp/a.sock", "a.sock", "a:b/c", "@abstract", "/@file",
                                   "//@file", "@", "//a", "/a?b#c%", "/no\xff\xfeutf-8"}) {
        const auto element = make("jkvm:///");
        g_object_set(element.get(), "socket-path", path.c_str(), nullptr);
        const auto again = make(uri_of(element).c_str());
        ASSERT_TRUE(again) << uri_of(element);
        EXPECT_EQ(property(again, "socket-path"), path) << uri_of(element);
    }
}

TEST_P(Uri, IsRefusedWithAReasonAndWithoutEffectIfInvalid)
{
    const auto element = make("jkvm:///tmp/a.sock?mode=listen");
    for (const char *uri :
         {"jkvm://host/tmp/a.sock", "jkvm:///b?mode=sideways", "jkvm:///b?mode", "jkvm:///b?name=x",
          "jkvm:///b?socket-mode=9999", "jkvm:///b%f/c", "jkvm:///b%00", "jkvm:///b?mode=%f",
          "jkvm:///b?allowed-uids=%3C%3C1%3E%3E", "jkvm:///b?allowed-uids=%3C%7B1%7D%3E",
          "jkvm:///b?allowed-uids=%3C%5B1,2%5D%3E", "jkvm:///b?no-such=1", "http:///b",
          "jkvm:///b?stats=1"}) {
        GError *error = nullptr;
        EXPECT_FALSE(gst_uri_handler_set_uri(GST_URI_HANDLER(element.get()), uri, &error)) << uri;
        ASSERT_NE(error, nullptr) << uri;
        EXPECT_EQ(error->domain, GST_URI_ERROR) << uri;
        g_clear_error(&error);
        EXPECT_EQ(uri_of(element), "jkvm:///tmp/a.sock?mode=listen") << uri;
    }
}

INSTANTIATE_TEST_SUITE_P(Elements, Uri,
                         ::testing::Values(Direction{GST_URI_SINK, "GstJkvmIpcSink"},
                                           Direction{GST_URI_SRC, "GstJkvmIpcSrc"}),
                         [](const auto &info) { return std::string(info.param.element); });

} // namespace
} // namespace jkvm
