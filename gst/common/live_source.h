// SPDX-License-Identifier: LGPL-2.1-or-later
// What a live source does when the pipeline is paused.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// To be called first in change_state of a live source. GstBaseSrc does not call unlock() when the
/// pipeline goes to PAUSED: create() would wait on, and what it gets would be pushed, old, when the
/// pipeline plays again. So create() is ended here; GstBaseSrc starts its task again in PLAYING.
template <typename Impl>
void interrupt_while_paused(Impl &impl, GstStateChange transition)
{
    if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
        impl.unlock();
    else if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
        impl.unlock_stop();
}

} // namespace jkvm
