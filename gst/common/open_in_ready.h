// SPDX-License-Identifier: LGPL-2.1-or-later
// Opens and closes an element's device or socket on state changes.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// Implements change_state of an element whose `impl` has open(), which posts an error if it fails,
/// and close(). A live source also has restart(), called on the way to PLAYING, which discards data
/// that arrived while the pipeline was paused.
///
/// The base classes' start() is not suitable: GstBaseSink calls it before READY, where properties
/// may still change, and both base classes post a second error when it fails.
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
