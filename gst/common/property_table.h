// SPDX-License-Identifier: LGPL-2.1-or-later
// Declares the properties of an element as rows of a table; derives their installation, setters and
// getters from it.
#pragma once

#include "common/property_value.h"

#include <functional>
#include <utility>
#include <vector>

namespace jkvm {

/// One property of an object whose value is stored in an Owner: the element's settings, or the
/// object itself. Made by row() or computed().
template <typename Owner>
struct PropertyRow {
    const char *name;
    /// The default is the value in `defaults`, or zero if that is null. Transfer floating.
    std::function<GParamSpec *(const Owner *defaults)> make_spec;
    std::function<void(Owner &, const GValue *, const GParamSpec *)> set; ///< empty: read-only
    std::function<void(const Owner &, GValue *, const GParamSpec *)> get;
};

/// A property that is calculated: `getter` maps a const Owner & to the value, `setter` applies a
/// value of the range's type to an Owner &.
template <typename Owner, typename Values, typename Getter, typename Setter>
PropertyRow<Owner> computed(const char *name, const char *nick, const char *blurb, Values values,
                            GParamFlags flags, Getter getter, Setter setter)
{
    using Member = std::remove_cvref_t<std::invoke_result_t<Getter, const Owner &>>;
    using Type = PropertyType<Values, Member>;
    PropertyRow<Owner> row{.name = name};
    row.make_spec = [=](const Owner *defaults) {
        return Type::make_spec({name, nick, blurb, flags}, values,
                               defaults != nullptr ? std::invoke(getter, *defaults) : Member{});
    };
    if constexpr (!std::is_null_pointer_v<Setter>)
        row.set = [=](Owner &owner, const GValue *value, const GParamSpec *spec) {
            std::invoke(setter, owner, Type::get(value, spec));
        };
    row.get = [=](const Owner &owner, GValue *value, const GParamSpec *spec) {
        Type::set(value, std::invoke(getter, owner), spec);
    };
    return row;
}

/// A read-only property: `getter` is a member or a const member function of Owner.
template <typename Owner, typename Values, typename Getter>
PropertyRow<Owner> computed(const char *name, const char *nick, const char *blurb, Values values,
                            Getter getter)
{
    return computed<Owner>(name, nick, blurb, values, read_only, getter, nullptr);
}

/// A property that is stored in a member of Owner; several members lead into nested structures. Its
/// default is the member's initial value.
template <typename Owner, typename First, typename Values, typename... Members>
PropertyRow<Owner> row(const char *name, const char *nick, const char *blurb, Values values,
                       GParamFlags flags, First Owner::*first, Members... members)
{
    const auto getter = [=](const Owner &owner) -> const auto &
    {
        return member_at(owner, first, members...);
    };
    const auto setter = [=](Owner &owner, auto &&value) {
        auto &member = member_at(owner, first, members...);
        member = static_cast<std::remove_cvref_t<decltype(member)>>(
            std::forward<decltype(value)>(value));
    };
    return computed<Owner>(name, nick, blurb, values, flags, getter, setter);
}

/// The properties whose values are stored in an Owner. Immutable after construction, so that a
/// table can be a constant that every object of a class shares. GObject's property ids have no
/// meaning: rows are found by name.
template <typename Owner>
class PropertyTable {
public:
    PropertyTable(std::initializer_list<PropertyRow<Owner>> rows) : rows_(rows) {}

    /// Appends the rows of another table whose owner is a member of this one's.
    template <typename Inner>
    PropertyTable &&include(const PropertyTable<Inner> &table, Inner Owner::*member) &&
    {
        for (const auto &inner : table.rows()) {
            PropertyRow<Owner> row{.name = inner.name};
            row.make_spec = [=](const Owner *defaults) {
                return inner.make_spec(defaults != nullptr ? &(defaults->*member) : nullptr);
            };
            if (inner.set)
                row.set = [=](Owner &owner, const GValue *value, const GParamSpec *spec) {
                    inner.set(owner.*member, value, spec);
                };
            row.get = [=](const Owner &owner, GValue *value, const GParamSpec *spec) {
                inner.get(owner.*member, value, spec);
            };
            rows_.push_back(std::move(row));
        }
        return std::move(*this);
    }

    /// Installs all rows after the properties that the class itself has already. The defaults are
    /// the values of a default-constructed Owner, if it can be constructed without arguments.
    void install(GObjectClass *klass) const
    {
        auto id = next_property_id(klass);
        if constexpr (std::is_default_constructible_v<Owner>) {
            const Owner defaults{};
            for (const auto &row : rows_)
                g_object_class_install_property(klass, id++, row.make_spec(&defaults));
        } else {
            for (const auto &row : rows_)
                g_object_class_install_property(klass, id++, row.make_spec(nullptr));
        }
    }

    /// Whether the property is in this table.
    [[nodiscard]] bool has(const GParamSpec *spec) const { return find(spec) != nullptr; }
    /// Returns false if the property is not in this table.
    bool set(Owner &owner, const GValue *value, const GParamSpec *spec) const
    {
        const auto *row = find(spec);
        if (row == nullptr || !row->set)
            return false;
        row->set(owner, value, spec);
        return true;
    }
    bool get(const Owner &owner, GValue *value, const GParamSpec *spec) const
    {
        const auto *row = find(spec);
        if (row == nullptr)
            return false;
        row->get(owner, value, spec);
        return true;
    }

    /// Emits `notify` for each property of the table whose value differs. Must be called without a
    /// lock.
    void notify_changes(GObject *object, const Owner &before, const Owner &after) const
    {
        for (const auto &row : rows_) {
            auto *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(object), row.name);
            GValue old_value = G_VALUE_INIT;
            GValue new_value = G_VALUE_INIT;
            g_value_init(&old_value, spec->value_type);
            g_value_init(&new_value, spec->value_type);
            row.get(before, &old_value, spec);
            row.get(after, &new_value, spec);
            if (g_param_values_cmp(spec, &old_value, &new_value) != 0)
                g_object_notify_by_pspec(object, spec);
            g_value_unset(&old_value);
            g_value_unset(&new_value);
        }
    }

    [[nodiscard]] const std::vector<PropertyRow<Owner>> &rows() const { return rows_; }

private:
    [[nodiscard]] const PropertyRow<Owner> *find(const GParamSpec *spec) const
    {
        for (const auto &row : rows_)
            if (g_str_equal(row.name, spec->name))
                return &row;
        return nullptr;
    }

    std::vector<PropertyRow<Owner>> rows_;
};

} // namespace jkvm
