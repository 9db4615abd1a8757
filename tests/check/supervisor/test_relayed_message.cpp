// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that bus messages cross to another process, and that any other text is harmless.
#include "../../../gst/jkvmsupervisor/relayed_message.h"
#include "../../../gst/jkvmsupervisor/value_text.h"

#include "common/fields.h"

#include <gtest/gtest.h>

#include <random>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace jkvm {
namespace {

GstRef<GstElement> make(const char *factory, const char *name)
{
    return GstRef<GstElement>::adopt(
        GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(factory, name))));
}

class RelayedMessage : public ::testing::Test {
protected:
    GstRef<GstMessage> relay(GstMessage *message)
    {
        const auto owned = GstRef<GstMessage>::adopt(message);
        const auto control = describe_message(owned.get());
        return control ? make_relayed_message(bin_.get(), *control) : GstRef<GstMessage>();
    }
    GstRef<GstElement> bin_ = make("bin", "outer");
    GstRef<GstElement> element_ = make("fakesrc", "inner");
};

TEST_F(RelayedMessage, KeepsTheFieldsOfAnElementMessageAndNamesTheElement)
{
    const std::vector<std::uint64_t> buckets{1, 2, 1ull << 60};
    std::vector<Fields> clients(2);
    clients[1].set("name", std::string("a \"quoted\" <name>, with; all={things}"));
    auto *structure = Fields()
                          .set("average", 0.1)
                          .set("latency", nanoseconds(5))
                          .set("buckets", buckets)
                          .set("clients", "client", std::move(clients))
                          .set("empty", std::string())
                          .release("application/x-jkvm-test-stats");
    const OwnedStructure expected(gst_structure_copy(structure));
    gst_structure_set(expected.get(), "element", G_TYPE_STRING, "inner", nullptr);
    const auto relayed = relay(gst_message_new_element(GST_OBJECT(element_.get()), structure));
    ASSERT_TRUE(relayed);
    EXPECT_EQ(GST_MESSAGE_SRC(relayed.get()), GST_OBJECT(bin_.get()));
    EXPECT_EQ(to_text(gst_message_get_structure(relayed.get())), to_text(expected.get()));
}

TEST_F(RelayedMessage, NamesTheElementOfAPad)
{
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(element_.get(), "src"));
    const auto relayed =
        relay(gst_message_new_element(GST_OBJECT(pad.get()), gst_structure_new_empty("m")));
    ASSERT_TRUE(relayed);
    EXPECT_STREQ(gst_structure_get_string(gst_message_get_structure(relayed.get()), "element"),
                 "inner");
}

TEST_F(RelayedMessage, LeavesOutFieldsThatAreNoText)
{
    auto *structure = gst_structure_new("m", "object", GST_TYPE_ELEMENT, element_.get(), "number",
                                        G_TYPE_INT, 1, nullptr);
    const auto relayed = relay(gst_message_new_element(GST_OBJECT(element_.get()), structure));
    ASSERT_TRUE(relayed);
    const auto *fields = gst_message_get_structure(relayed.get());
    EXPECT_TRUE(gst_structure_has_field(fields, "number"));
    EXPECT_FALSE(gst_structure_has_field(fields, "object"));
}

TEST_F(RelayedMessage, LeavesOutAnAbsentStructure)
{
    auto *inner = gst_structure_new("inner", "absent", GST_TYPE_STRUCTURE, nullptr, "number",
                                    G_TYPE_INT, 1, nullptr);
    const OwnedStructure outer(gst_structure_new("outer", "absent", GST_TYPE_STRUCTURE, nullptr,
                                                 "inner", GST_TYPE_STRUCTURE, inner, nullptr));
    gst_structure_free(inner);
    const auto read = structure_of(to_text(outer.get()));
    ASSERT_NE(read, nullptr);
    EXPECT_FALSE(gst_structure_has_field(read.get(), "absent"));
    GstStructure *nested = nullptr;
    ASSERT_TRUE(gst_structure_get(read.get(), "inner", GST_TYPE_STRUCTURE, &nested, nullptr));
    EXPECT_FALSE(gst_structure_has_field(nested, "absent"));
    EXPECT_TRUE(gst_structure_has_field(nested, "number"));
    gst_structure_free(nested);
}

TEST_F(RelayedMessage, TurnsAnErrorIntoAWarningWithTheSameTexts)
{
    auto *error = g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY, "in use");
    const auto relayed = relay(gst_message_new_error(GST_OBJECT(element_.get()), error, "why"));
    g_clear_error(&error);
    ASSERT_TRUE(relayed);
    ASSERT_EQ(GST_MESSAGE_TYPE(relayed.get()), GST_MESSAGE_WARNING);
    gchar *debug = nullptr;
    gst_message_parse_warning(relayed.get(), &error, &debug);
    EXPECT_TRUE(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY));
    EXPECT_STREQ(error->message, "in use");
    EXPECT_STREQ(debug, "why");
    g_clear_error(&error);
    g_free(debug);
    const GstStructure *details = nullptr;
    gst_message_parse_warning_details(relayed.get(), &details);
    ASSERT_NE(details, nullptr);
    EXPECT_STREQ(gst_structure_get_string(details, "element"), "inner");
    EXPECT_STREQ(gst_structure_get_string(details, "severity"), "error");
}

TEST_F(RelayedMessage, OtherMessagesStayInTheWorker)
{
    EXPECT_FALSE(relay(gst_message_new_eos(GST_OBJECT(element_.get()))));
}

TEST_F(RelayedMessage, RejectsTextThatWouldOverflowTheStackOfTheParser)
{
    constexpr std::size_t depth = 30000;
    for (const char *nest : {"<", "[", "{", "a,b=(structure)[", "a,b=<\">\","}) {
        std::string text = "a,b=";
        while (text.size() < depth)
            text += nest;
        EXPECT_EQ(structure_of(text), nullptr) << nest;
    }
}

TEST_F(RelayedMessage, SurvivesNonsense)
{
    auto *structure = Fields()
                          .set("reason", "a \"b\" c")
                          .set("inner", "inner", std::move(Fields().set("x", 1.5)))
                          .set("list", std::vector<std::uint64_t>{1, 2, 3})
                          .release("jkvm-test");
    const auto message =
        GstRef<GstMessage>::adopt(gst_message_new_element(GST_OBJECT(element_.get()), structure));
    const auto valid = describe_message(message.get());
    ASSERT_TRUE(valid);
#if defined(__SANITIZE_ADDRESS__)
    // gst_structure_from_string() leaks values of a text that it does not accept.
    const __lsan::ScopedDisabler ignore_leaks;
#endif
    // GStreamer warns about nested structures that are incomplete.
    const auto fatal = g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        auto control = *valid;
        auto &text = control.fields[random() % control.fields.size()];
        for (auto changes = 1 + random() % 4; changes > 0 && !text.empty(); --changes) {
            const auto at = random() % text.size();
            if (random() % 3 == 0)
                text.erase(at, random() % 10);
            else
                text[at] = static_cast<char>(random() % 3 == 0 ? 1 + random() % 255
                                                               : "<>[]{}()\\\",;=@"[random() % 14]);
        }
        (void)make_relayed_message(bin_.get(), control);
        control.kind = static_cast<std::uint8_t>(ControlKind::diagnosis);
        control.fields.resize(random() % 8, "7");
        (void)make_relayed_message(bin_.get(), control);
    }
    g_log_set_always_fatal(fatal);
}

} // namespace
} // namespace jkvm
