// SPDX-License-Identifier: LGPL-2.1-or-later
#include "worker_relay.h"

#include "relayed_message.h"

namespace jkvm {

bool WorkerRelay::on_message(const ControlMessage &message)
{
    switch (static_cast<ControlKind>(message.kind)) {
    case ControlKind::element_message:
    case ControlKind::diagnosis:
        post(message);
        return true;
    }
    return false;
}

void WorkerRelay::post(const ControlMessage &message)
{
    auto relayed =
        limit_.admit(monotonic_now()) ? make_relayed_message(bin_, message) : GstRef<GstMessage>();
    ++(relayed ? messages_ : dropped_);
    if (relayed)
        gst_element_post_message(bin_, relayed.release());
}

} // namespace jkvm
