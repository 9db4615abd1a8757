// SPDX-License-Identifier: LGPL-2.1-or-later
#include "worker_relay.h"

#include "relayed_message.h"

namespace jkvm {

WorkerRelay::WorkerRelay(GstElement *bin)
    : bin_(bin), elements_(bin, [this](const ShadowElements::Key &key, const std::string &value) {
          connection_.send(make_control(ControlKind::set, key.first, key.second, value),
                           key.first + "::" + key.second);
      })
{}

void WorkerRelay::start_worker()
{
    elements_.send_all();
    connection_.send(make_control(ControlKind::start));
}

bool WorkerRelay::on_message(const ControlMessage &message)
{
    const auto &fields = message.fields;
    switch (static_cast<ControlKind>(message.kind)) {
    case ControlKind::element_message:
    case ControlKind::diagnosis:
        post(message);
        return true;
    case ControlKind::value:
        if (fields.size() != 3)
            return false;
        elements_.report({fields[0], fields[1]}, fields[2]);
        return true;
    case ControlKind::notify:
        if (fields.size() != 2)
            return false;
        elements_.notify({fields[0], fields[1]});
        return true;
    case ControlKind::set:
    case ControlKind::start:
        break;
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
