// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks the public surface that all elements have in common.
#include "support/gst_test.h"

#include <gtest/gtest.h>

#include <string>

namespace jkvm {
namespace {

class Surface : public ::testing::TestWithParam<const char *> {
protected:
    Surface() : element_(GstRef<GstElement>::adopt(make())) {}

    static GstElement *make()
    {
        auto *element = gst_element_factory_make(GetParam(), nullptr);
        return element != nullptr ? GST_ELEMENT(gst_object_ref_sink(element)) : nullptr;
    }
    /// Returns the properties of the element's own class, without those of its base classes.
    std::vector<GParamSpec *> own_properties()
    {
        guint count = 0;
        auto **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element_.get()), &count);
        std::vector<GParamSpec *> own;
        for (guint i = 0; i < count; ++i)
            if (specs[i]->owner_type == G_OBJECT_TYPE(element_.get()))
                own.push_back(specs[i]);
        g_free(specs);
        return own;
    }

    GstRef<GstElement> element_;
};

TEST_P(Surface, EveryPropertyIsDescribedAndHasItsMutability)
{
    ASSERT_TRUE(element_);
    EXPECT_GE(own_properties().size(), 2u);
    for (const auto *spec : own_properties()) {
        const std::string blurb = g_param_spec_get_blurb(const_cast<GParamSpec *>(spec));
        EXPECT_GT(blurb.size(), 10u) << spec->name;
        EXPECT_EQ(blurb.find("(since"), std::string::npos) << spec->name << ": " << blurb;
        if ((spec->flags & G_PARAM_WRITABLE) != 0) {
            EXPECT_NE(spec->flags & (GST_PARAM_MUTABLE_READY | GST_PARAM_MUTABLE_PAUSED |
                                     GST_PARAM_MUTABLE_PLAYING),
                      0)
                << spec->name;
        }
    }
}

TEST_P(Surface, LinksItsPageOfTheDocumentation)
{
    const auto *uri = gst_element_get_metadata(element_.get(), GST_ELEMENT_METADATA_DOC_URI);
    ASSERT_NE(uri, nullptr);
    EXPECT_TRUE(std::string(uri).ends_with("/doc/jkvm/elements/" + std::string(GetParam()) + ".md"))
        << uri;
}

TEST_P(Surface, DefaultsAreTheInitialValues)
{
    for (auto *spec : own_properties()) {
        if (spec->value_type == GST_TYPE_STRUCTURE || (spec->flags & G_PARAM_READABLE) == 0)
            continue;
        GValue value = G_VALUE_INIT;
        g_value_init(&value, spec->value_type);
        g_object_get_property(G_OBJECT(element_.get()), spec->name, &value);
        EXPECT_TRUE(g_param_value_defaults(spec, &value)) << spec->name;
        g_value_unset(&value);
    }
}

TEST_P(Surface, StatsAreNamedAfterTheElement)
{
    const std::string name = "application/x-jkvm-" + std::string(GetParam()).substr(4) + "-stats";
    EXPECT_STREQ(gst_structure_get_name(testing::stats_of(element_.get()).get()), name.c_str());
}

TEST_P(Surface, StringPropertySetToNullHasItsDefault)
{
    for (auto *spec : own_properties()) {
        if (spec->value_type != G_TYPE_STRING || (spec->flags & G_PARAM_WRITABLE) == 0)
            continue;
        g_object_set(element_.get(), spec->name, "changed", nullptr);
        g_object_set(element_.get(), spec->name, nullptr, nullptr);
        GValue value = G_VALUE_INIT;
        g_value_init(&value, G_TYPE_STRING);
        g_object_get_property(G_OBJECT(element_.get()), spec->name, &value);
        EXPECT_TRUE(g_param_value_defaults(spec, &value)) << spec->name;
        g_value_unset(&value);
    }
}

INSTANTIATE_TEST_SUITE_P(Elements, Surface,
                         ::testing::Values("jkvmadaptivequeue", "jkvmaudiosink", "jkvmaudiosrc",
                                           "jkvmipcsink", "jkvmipcsrc", "jkvmsupervisedsink",
                                           "jkvmsupervisedsrc"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
} // namespace jkvm
