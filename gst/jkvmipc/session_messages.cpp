// SPDX-License-Identifier: LGPL-2.1-or-later
#include "session_messages.h"

namespace jkvm {

namespace {

Fields describe(const PeerInfo &client)
{
    return std::move(Fields().set("id", client.id).set("pid", client.pid).set("uid", client.uid));
}

} // namespace

void SessionMessages::on_started(const PeerInfo &client, nanoseconds first_frame)
{
    messages_.post("started", describe(client).set("first-frame", first_frame));
}

void SessionMessages::on_stopped(const PeerInfo &client)
{
    messages_.post("stopped", describe(client));
}

void SessionMessages::on_lost(const PeerInfo &client)
{
    messages_.post("lost", describe(client));
}

void SessionMessages::on_replaced(const PeerInfo &client, const PeerInfo &by)
{
    messages_.post("replaced", describe(client).set("by-pid", by.pid).set("by-uid", by.uid));
}

} // namespace jkvm
