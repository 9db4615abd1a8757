// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the existing jkvm elements of this process.
#pragma once

#include "common/gst_ref.h"
#include "core/base/guarded.h"

#include <list>
#include <vector>

namespace jkvm {

/// Whether the object's type is defined by jkvm.
bool is_jkvm_object(gpointer object);

/// Weak references to elements. Thread-safe.
class ElementList {
public:
    /// Adds the element if it is a jkvm element with statistics.
    void add(GstElement *element);
    /// Returns the elements that still exist, in the order of their creation. A supervised bin is
    /// followed by the children that represent the jkvm elements of its worker.
    [[nodiscard]] std::vector<GstRef<GstObject>> existing();

private:
    class Weak {
    public:
        explicit Weak(GstElement *element) { g_weak_ref_init(&ref_, element); }
        Weak(const Weak &) = delete;
        Weak &operator=(const Weak &) = delete;
        ~Weak() { g_weak_ref_clear(&ref_); }

        [[nodiscard]] GstRef<GstElement> get()
        {
            return GstRef<GstElement>::adopt(static_cast<GstElement *>(g_weak_ref_get(&ref_)));
        }

    private:
        GWeakRef ref_; // must not be moved
    };

    [[nodiscard]] std::vector<GstRef<GstElement>> prune();

    Guarded<std::list<Weak>> elements_;
};

} // namespace jkvm
