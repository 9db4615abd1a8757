// SPDX-License-Identifier: LGPL-2.1-or-later
// Defines GObject types whose implementation is a C++ object.
#pragma once

#include "common/documentation.h"

#include <gst/gst.h>

#include <new>

/// Defines the GType `TypeName` with a private C++ object of class `Impl`, which is constructed
/// with a pointer to the GObject and destroyed in finalize. The file that uses it defines
///
///     static void type_name_configure_class(TypeNameClass *klass);
///
/// and accesses the object with `impl(self)`, where self is any pointer to the instance. Impl has
///
///     explicit Impl(TypeName *object);   // must not throw; subclasses are not initialised yet
///
/// Functions that GStreamer calls are noexcept, because an exception must not unwind through C.
#define JKVM_DEFINE_OBJECT(TypeName, type_name, PARENT_TYPE, Impl)                                 \
    JKVM_DEFINE_WITH_CODE(TypeName, type_name, PARENT_TYPE, Impl, )

/// Defines the GType of an element, whose Impl also has
///
///     void set_property(guint id, const GValue *value, GParamSpec *spec);
///     void get_property(guint id, GValue *value, GParamSpec *spec);
#define JKVM_DEFINE_ELEMENT(TypeName, type_name, PARENT_TYPE, Impl)                                \
    JKVM_DEFINE_WITH_CODE(                                                                         \
        TypeName, type_name, PARENT_TYPE, Impl,                                                    \
        jkvm::set_documentation_uri(GST_ELEMENT_CLASS(klass));                                     \
        object_class->set_property =                                                               \
            [](GObject *self, guint id, const GValue *value, GParamSpec *spec) noexcept {          \
                impl(self).set_property(id, value, spec);                                          \
            };                                                                                     \
        object_class->get_property =                                                               \
            [](GObject *self, guint id, GValue *value, GParamSpec *spec) noexcept {                \
                impl(self).get_property(id, value, spec);                                          \
            };)

/// The common part of both; `code` is inserted into class_init.
#define JKVM_DEFINE_WITH_CODE(TypeName, type_name, PARENT_TYPE, Impl, code)                        \
    using TypeName##Private = Impl;                                                                \
    G_DEFINE_TYPE_WITH_PRIVATE(TypeName, type_name, PARENT_TYPE)                                   \
    static Impl &impl(gpointer self)                                                               \
    {                                                                                              \
        return *static_cast<Impl *>(                                                               \
            type_name##_get_instance_private(static_cast<TypeName *>(self)));                      \
    }                                                                                              \
    static void type_name##_init(TypeName *self)                                                   \
    {                                                                                              \
        new (type_name##_get_instance_private(self)) Impl(self);                                   \
    }                                                                                              \
    static void type_name##_configure_class(TypeName##Class *klass);                               \
    static void type_name##_class_init(TypeName##Class *klass)                                     \
    {                                                                                              \
        auto *object_class = G_OBJECT_CLASS(klass);                                                \
        object_class->finalize = [](GObject *self) noexcept {                                      \
            impl(self).~Impl();                                                                    \
            G_OBJECT_CLASS(type_name##_parent_class)->finalize(self);                              \
        };                                                                                         \
        code type_name##_configure_class(klass);                                                   \
    }
