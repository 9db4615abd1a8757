// SPDX-License-Identifier: LGPL-2.1-or-later
// When an element opens and closes what it works on.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// The change_state of an element whose `impl` has open(), which may fail after it posted why, and
/// close(); and, in a live source, restart(), because what came while the pipeline was paused is
/// old.
///
/// The base classes' start() would not do: GstBaseSink calls it before READY, where properties may
/// still change, and both post an error of their own behind ours.
template <typename Impl>
GstStateChangeReturn open_in_ready(Impl &impl, gpointer parent_class, GstElement *self,
                                   GstStateChange transition)
{
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !impl.open())
        return GST_STATE_CHANGE_FAILURE;
    if constexpr (requires { impl.restart(); }) {
        if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
            impl.restart();
    }
    const auto result = GST_ELEMENT_CLASS(parent_class)->change_state(self, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
        impl.close();
    return result;
}

} // namespace jkvm
