// SPDX-License-Identifier: LGPL-2.1-or-later
#include "shadow_element.h"

#include "core/base/guarded.h"
#include "value_text.h"

#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace jkvm {

namespace {

class Value {
public:
    explicit Value(GType type) { g_value_init(&value_, type); }
    Value(const Value &) = delete;
    Value &operator=(const Value &) = delete;
    ~Value() { g_value_unset(&value_); }

    [[nodiscard]] GValue *get() { return &value_; }
    [[nodiscard]] const GValue *get() const { return &value_; }

private:
    GValue value_ = G_VALUE_INIT;
};

struct Shadow {
    Guarded<std::map<std::string, Value, std::less<>>> values;
    Guarded<ShadowSetter> on_set;
};

struct ShadowObject {
    GstObject parent;
    Shadow *shadow;
};

Shadow &shadow_of(gpointer object)
{
    return *static_cast<ShadowObject *>(object)->shadow;
}

void store(Shadow &shadow, const char *property, const GValue *value)
{
    auto values = shadow.values.lock();
    const auto stored = values->try_emplace(property, G_VALUE_TYPE(value)).first;
    g_value_copy(value, stored->second.get());
}

void set_property(GObject *object, guint, const GValue *value, GParamSpec *spec) noexcept
{
    auto &shadow = shadow_of(object);
    store(shadow, spec->name, value);
    const auto on_set = shadow.on_set.lock();
    if (const auto text = to_text(value); text && *on_set)
        (*on_set)(GST_OBJECT(object), spec->name, *text);
}

void get_property(GObject *object, guint, GValue *value, GParamSpec *spec) noexcept
{
    const auto values = shadow_of(object).values.lock();
    if (const auto stored = values->find(spec->name); stored != values->end())
        g_value_copy(stored->second.get(), value);
    else
        g_param_value_set_default(spec, value);
}

/// `model`: the class of the element, whose properties the shadow refers to.
void init_class(gpointer klass, gpointer model)
{
    auto *object_class = static_cast<GObjectClass *>(klass);
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = [](GObject *object) noexcept {
        delete static_cast<ShadowObject *>(static_cast<gpointer>(object))->shadow;
        G_OBJECT_CLASS(g_type_class_peek(GST_TYPE_OBJECT))->finalize(object);
    };
    guint count = 0;
    auto **specs = g_object_class_list_properties(static_cast<GObjectClass *>(model), &count);
    guint id = 1;
    for (guint i = 0; i < count; ++i) {
        const auto *spec = specs[i];
        const bool is_own = g_object_class_find_property(object_class, spec->name) != nullptr;
        if (!is_own && is_expressible(spec->value_type))
            g_object_class_install_property(object_class, id++,
                                            g_param_spec_override(spec->name, specs[i]));
    }
    g_free(specs);
}

/// Returns the type of the shadows of elements of one type, which is registered when it is first
/// needed.
GType shadow_type(GstElement *model)
{
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    const auto name = std::string("GstJkvmShadow-") + G_OBJECT_TYPE_NAME(model);
    if (const auto known = g_type_from_name(name.c_str()); known != 0)
        return known;
    GTypeInfo info{};
    info.class_size = sizeof(GstObjectClass);
    info.class_init = [](gpointer klass, gpointer data) noexcept { init_class(klass, data); };
    info.class_data = g_type_class_ref(G_OBJECT_TYPE(model)); // for as long as the type exists
    info.instance_size = sizeof(ShadowObject);
    info.instance_init = [](GTypeInstance *instance, gpointer) noexcept {
        static_cast<ShadowObject *>(static_cast<gpointer>(instance))->shadow =
            std::make_unique<Shadow>().release();
    };
    return g_type_register_static(GST_TYPE_OBJECT, name.c_str(), &info, static_cast<GTypeFlags>(0));
}

/// Returns the element's property of that name; null if the shadow has none.
GParamSpec *find_property(gpointer shadow, const char *name)
{
    auto *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(shadow), name);
    // Not the name and the parent, which every GstObject has.
    return spec != nullptr && spec->owner_type != GST_TYPE_OBJECT ? spec : nullptr;
}

void copy_values(GstElement *model, GstObject *to)
{
    guint count = 0;
    auto **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(model), &count);
    for (guint i = 0; i < count; ++i) {
        if ((specs[i]->flags & G_PARAM_READABLE) == 0 ||
            find_property(to, specs[i]->name) == nullptr)
            continue;
        Value value(specs[i]->value_type);
        g_object_get_property(G_OBJECT(model), specs[i]->name, value.get());
        store(shadow_of(to), specs[i]->name, value.get());
    }
    g_free(specs);
}

} // namespace

GstRef<GstObject> make_shadow(GstElement *model, const std::string &name, ShadowSetter on_set)
{
    auto *object =
        static_cast<GstObject *>(g_object_new(shadow_type(model), "name", name.c_str(), nullptr));
    auto shadow = GstRef<GstObject>::adopt(GST_OBJECT(gst_object_ref_sink(object)));
    copy_values(model, shadow.get());
    *shadow_of(shadow.get()).on_set.lock() = std::move(on_set);
    return shadow;
}

void detach_shadow(GstObject *shadow)
{
    *shadow_of(shadow).on_set.lock() = nullptr;
}

bool report_value(GstObject *shadow, const std::string &property, const std::string &value)
{
    auto *spec = find_property(shadow, property.c_str());
    if (spec == nullptr)
        return false;
    Value reported(spec->value_type);
    if (!set_from_text(reported.get(), value, spec))
        return false;
    store(shadow_of(shadow), spec->name, reported.get());
    return true;
}

} // namespace jkvm
