// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/element_type.h"
#include "common/property_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

enum class Colour { red, green };

GType colour_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(Colour::red), "Red", "red"},
        {static_cast<int>(Colour::green), "Green", "green"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("JkvmTestColour", values);
    return type;
}

struct Inner {
    double factor = 0.5;
};

struct Common {
    std::string path;
    bool is_loud = true;
};

struct Settings {
    Common common;
    Inner inner;
    std::string device = "hw:0,0";
    Colour colour = Colour::green;
    std::size_t count = 3;
    nanoseconds timeout = 20ms;
    nanoseconds period = 1500us;
    nanoseconds limit = 7ns;
    std::vector<unsigned> uids;
};

const PropertyTable<Settings> &settings_table()
{
    using S = Settings;
    static const auto table =
        PropertyTable<S>{
            row("device", "Device", "Device", AnyValue{}, mutable_ready, &S::device),
            row("colour", "Colour", "Colour", OneOf{colour_type()}, mutable_ready, &S::colour),
            row("count", "Count", "Count", between(1U, 10U), mutable_ready, &S::count),
            row("timeout", "Timeout", "(ms)", between(0ms, 2s), mutable_ready, &S::timeout),
            row("period", "Period", "(us)", between(0us, 2s), mutable_ready, &S::period),
            row("limit", "Limit", "(ns)", between(0ns, 2s), mutable_ready, &S::limit),
            row("factor", "Factor", "Factor", between(0.0, 1.0), mutable_playing, &S::inner,
                &Inner::factor),
            row("uids", "Uids", "Uids", AnyValue{}, mutable_ready, &S::uids),
        }
            .include(
                PropertyTable<Common>{
                    row("path", "Path", "Path", AnyValue{}, mutable_ready, &Common::path),
                    row("loud", "Loud", "Loud", AnyValue{}, mutable_ready, &Common::is_loud),
                },
                &S::common);
    return table;
}

class Impl {
public:
    explicit Impl(void *) {}

    static const PropertyTable<Impl> &live_table()
    {
        static const PropertyTable<Impl> table{
            computed<Impl>("twice", "Twice", "Twice the count", between(0U, 20U), &Impl::twice),
        };
        return table;
    }
    void set_property(guint, const GValue *value, GParamSpec *spec)
    {
        is_found = settings_table().set(settings, value, spec);
    }
    void get_property(guint, GValue *value, GParamSpec *spec)
    {
        is_found =
            settings_table().get(settings, value, spec) || live_table().get(*this, value, spec);
    }
    [[nodiscard]] std::size_t twice() const { return 2 * settings.count; }

    Settings settings;
    bool is_found = false;
};

} // namespace

struct JkvmTestElement {
    GstElement parent;
};
struct JkvmTestElementClass {
    GstElementClass parent;
};

JKVM_DEFINE_ELEMENT(JkvmTestElement, jkvm_test_element, GST_TYPE_ELEMENT, Impl)

static void jkvm_test_element_configure_class(JkvmTestElementClass *klass)
{
    settings_table().install(G_OBJECT_CLASS(klass));
    Impl::live_table().install(G_OBJECT_CLASS(klass));
}

namespace {

class PropertyTableTest : public ::testing::Test {
protected:
    ~PropertyTableTest() override { g_object_unref(object_); }

    GParamSpec *spec(const char *name)
    {
        return g_object_class_find_property(G_OBJECT_GET_CLASS(object_), name);
    }

    GObject *object_ = G_OBJECT(g_object_new(jkvm_test_element_get_type(), nullptr));
    Settings &settings_ = impl(object_).settings;
};

TEST_F(PropertyTableTest, InstallsEveryRowWithTypeRangeAndDefault)
{
    const auto *count = G_PARAM_SPEC_UINT(spec("count"));
    EXPECT_EQ(count->minimum, 1U);
    EXPECT_EQ(count->maximum, 10U);
    EXPECT_EQ(count->default_value, 3U);
    const auto *timeout = G_PARAM_SPEC_UINT(spec("timeout"));
    EXPECT_EQ(timeout->maximum, 2000U);
    EXPECT_EQ(timeout->default_value, 20U);
    EXPECT_EQ(G_PARAM_SPEC_INT64(spec("period"))->default_value, 1500);
    EXPECT_EQ(G_PARAM_SPEC_UINT64(spec("limit"))->maximum, 2000000000U);
    EXPECT_EQ(G_PARAM_SPEC_DOUBLE(spec("factor"))->default_value, 0.5);
    EXPECT_STREQ(G_PARAM_SPEC_STRING(spec("device"))->default_value, "hw:0,0");
    EXPECT_EQ(G_PARAM_SPEC_STRING(spec("path"))->default_value, nullptr);
    EXPECT_EQ(G_PARAM_SPEC_ENUM(spec("colour"))->default_value, static_cast<int>(Colour::green));
    EXPECT_TRUE(G_PARAM_SPEC_BOOLEAN(spec("loud"))->default_value);
    EXPECT_EQ(spec("factor")->flags & GST_PARAM_MUTABLE_PLAYING, GST_PARAM_MUTABLE_PLAYING);
    EXPECT_EQ(spec("twice")->flags & G_PARAM_WRITABLE, 0);
}

TEST_F(PropertyTableTest, StoresEachTypeInItsMember)
{
    g_object_set(object_, "device", "mic", "colour", Colour::red, "count", 7U, "timeout", 30U,
                 "period", gint64{2500}, "limit", guint64{9}, "factor", 0.25, "path", "/run/a",
                 "loud", FALSE, nullptr);
    EXPECT_EQ(settings_.device, "mic");
    EXPECT_EQ(settings_.colour, Colour::red);
    EXPECT_EQ(settings_.count, 7U);
    EXPECT_EQ(settings_.timeout, 30ms);
    EXPECT_EQ(settings_.period, 2500us);
    EXPECT_EQ(settings_.limit, 9ns);
    EXPECT_EQ(settings_.inner.factor, 0.25);
    EXPECT_EQ(settings_.common.path, "/run/a");
    EXPECT_FALSE(settings_.common.is_loud);
}

TEST_F(PropertyTableTest, ReturnsStoredAndComputedValues)
{
    settings_.count = 4;
    settings_.period = 3ms;
    guint count = 0;
    guint twice = 0;
    gint64 period = 0;
    g_object_get(object_, "count", &count, "twice", &twice, "period", &period, nullptr);
    EXPECT_EQ(count, 4U);
    EXPECT_EQ(twice, 8U);
    EXPECT_EQ(period, 3000);
    EXPECT_TRUE(impl(object_).is_found);
}

TEST_F(PropertyTableTest, CopiesArraysBothWays)
{
    gst_util_set_object_arg(object_, "uids", "<7, 9>");
    EXPECT_EQ(settings_.uids, (std::vector{7U, 9U}));
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_ARRAY);
    g_object_get_property(object_, "uids", &value);
    ASSERT_EQ(gst_value_array_get_size(&value), 2U);
    EXPECT_EQ(g_value_get_uint(gst_value_array_get_value(&value, 1)), 9U);
    g_value_unset(&value);
}

TEST_F(PropertyTableTest, NullResetsAStringToItsDefault)
{
    g_object_set(object_, "device", "mic", "path", "/run/a", nullptr);
    g_object_set(object_, "device", nullptr, "path", nullptr, nullptr);
    EXPECT_EQ(settings_.device, "hw:0,0");
    gchar *path = nullptr;
    g_object_get(object_, "path", &path, nullptr);
    EXPECT_EQ(path, nullptr);
}

TEST_F(PropertyTableTest, NotifiesOnlyChangedProperties)
{
    std::vector<std::string> notified;
    g_signal_connect(
        object_, "notify", G_CALLBACK(+[](GObject *, GParamSpec *changed, gpointer names) {
            static_cast<std::vector<std::string> *>(names)->emplace_back(changed->name);
        }),
        &notified);
    Settings changed;
    changed.inner.factor = 1;
    changed.common.path = "/run/b";
    settings_table().notify_changes(object_, Settings{}, changed);
    EXPECT_EQ(notified, (std::vector<std::string>{"factor", "path"}));
}

} // namespace
