// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/gst_test.h"

#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace jkvm::testing {

namespace {

const GstClockTime message_timeout =
    static_cast<GstClockTime>(std::chrono::nanoseconds(wait_timeout).count());

} // namespace

StructurePtr stats_of(GstElement *element)
{
    GstStructure *stats = nullptr;
    g_object_get(element, "stats", &stats, nullptr);
    return StructurePtr(stats);
}

guint64 stat(GstElement *element, const char *field)
{
    guint64 value = 0;
    const auto stats = stats_of(element);
    EXPECT_TRUE(gst_structure_get_uint64(stats.get(), field, &value)) << field;
    return value;
}

Pipeline::Pipeline(const std::string &description)
{
    GError *error = nullptr;
    auto *parsed =
        gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    EXPECT_EQ(error, nullptr) << description << ": " << error->message;
    g_clear_error(&error);
    pipeline_ = GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(parsed)));
    bus_ = GstRef<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
}

Pipeline::~Pipeline()
{
    set_state(GST_STATE_NULL);
    elements_.clear();
}

GstStateChangeReturn Pipeline::set_state(GstState state)
{
    return gst_element_set_state(pipeline_.get(), state);
}

GstElement *Pipeline::element(const std::string &name)
{
    elements_.push_back(
        GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name.c_str())));
    EXPECT_TRUE(elements_.back()) << name;
    return elements_.back().get();
}

GstRef<GstMessage> Pipeline::wait_for(GstMessageType types)
{
    return GstRef<GstMessage>::adopt(
        gst_bus_timed_pop_filtered(bus_.get(), message_timeout, types));
}

GstRef<GstMessage> Pipeline::wait_for_element_message(const std::string &name,
                                                      const std::string &reason)
{
    while (auto message = wait_for(GST_MESSAGE_ELEMENT)) {
        const auto *structure = gst_message_get_structure(message.get());
        if (gst_structure_has_name(structure, name.c_str()) &&
            (reason.empty() || reason == gst_structure_get_string(structure, "reason")))
            return message;
    }
    ADD_FAILURE() << "no element message " << name << " with reason \"" << reason << "\"";
    return {};
}

PostedError Pipeline::wait_for_error()
{
    const auto message = wait_for(GST_MESSAGE_ERROR);
    if (!message) {
        ADD_FAILURE() << "no error was posted";
        return {};
    }
    GError *error = nullptr;
    gchar *debug = nullptr;
    gst_message_parse_error(message.get(), &error, &debug);
    PostedError posted{error->domain, error->code, error->message, debug != nullptr ? debug : ""};
    g_error_free(error);
    g_free(debug);
    const auto second =
        GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR));
    EXPECT_FALSE(second) << "a second error was posted";
    return posted;
}

void Pipeline::wait_for_eos()
{
    const auto message = wait_for(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    ASSERT_TRUE(message) << "no EOS message was posted";
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
        GError *error = nullptr;
        gst_message_parse_error(message.get(), &error, nullptr);
        ADD_FAILURE() << error->message;
        g_error_free(error);
    }
}

void Pipeline::discard_messages()
{
    gst_bus_set_flushing(bus_.get(), TRUE);
    gst_bus_set_flushing(bus_.get(), FALSE);
}

std::size_t open_descriptors()
{
    std::size_t count = 0;
    for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

} // namespace jkvm::testing
