// SPDX-License-Identifier: LGPL-2.1-or-later
// The elements of this project that live in this process.
#pragma once

#include "common/gst_ref.h"
#include "core/base/guarded.h"

#include <list>
#include <vector>

namespace jkvm {

/// Whether it is of a type of this project.
bool is_ours(gpointer object);

/// Thread-safe, and keeps no element alive.
class ElementList {
public:
    /// Notes the element if it is one of ours and has statistics.
    void add(GstElement *element);
    /// Those that are still there, in the order in which they were made.
    [[nodiscard]] std::vector<GstRef<GstElement>> living();

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
        GWeakRef ref_; // must not move
    };

    Guarded<std::list<Weak>> elements_;
};

} // namespace jkvm
