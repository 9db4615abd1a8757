// SPDX-License-Identifier: LGPL-2.1-or-later
// Puts a C++ object into a GObject: the one place where that is done by hand.
#pragma once

#include <gst/gst.h>

#include <new>

/// Defines the GType `TypeName` with a private C++ object of class `Impl`, constructed with a
/// pointer to the element and destroyed in finalize. The element writes only
///
///     static void type_name_configure_class(TypeNameClass *klass);
///
/// and reaches its object with `impl(self)`, where self may be any pointer to the instance.
/// Impl's constructor must not throw, and must not use the element beyond storing the pointer and
/// calling its parents' functions: subclass code has not run yet.
#define JKVM_DEFINE_ELEMENT(TypeName, type_name, PARENT_TYPE, Impl)                                \
    using TypeName##Private = Impl;                                                                \
    G_DEFINE_TYPE_WITH_PRIVATE(TypeName, type_name, PARENT_TYPE)                                   \
    [[maybe_unused]] static Impl &impl(gpointer self)                                              \
    {                                                                                              \
        return *static_cast<Impl *>(                                                               \
            type_name##_get_instance_private(static_cast<TypeName *>(self)));                      \
    }                                                                                              \
    static void type_name##_init(TypeName *self)                                                   \
    {                                                                                              \
        new (type_name##_get_instance_private(self)) Impl(self);                                   \
    }                                                                                              \
    static void type_name##_finalize(GObject *object)                                              \
    {                                                                                              \
        impl(object).~Impl();                                                                      \
        G_OBJECT_CLASS(type_name##_parent_class)->finalize(object);                                \
    }                                                                                              \
    static void type_name##_configure_class(TypeName##Class *klass);                               \
    static void type_name##_class_init(TypeName##Class *klass)                                     \
    {                                                                                              \
        G_OBJECT_CLASS(klass)->finalize = type_name##_finalize;                                    \
        type_name##_configure_class(klass);                                                        \
    }
