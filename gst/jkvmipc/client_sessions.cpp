// SPDX-License-Identifier: LGPL-2.1-or-later
#include "client_sessions.h"

namespace jkvm {

void ClientSessions::on_added(const PeerInfo &client)
{
    auto sessions = sessions_.lock();
    sessions->insert_or_assign(client.id, Session{client});
    has_pending_ = true;
}

void ClientSessions::on_removed(const PeerTable::Removal &removal)
{
    {
        auto sessions = sessions_.lock();
        const auto position = sessions->find(removal.peer.id);
        if (position == sessions->end())
            return; // it was turned away
        if (position->second.state == State::starting) {
            position->second.end = removal;
            return;
        }
        const bool has_started = position->second.state == State::started;
        sessions->erase(position);
        if (!has_started)
            return;
    }
    post_end(removal);
}

std::vector<PeerInfo> ClientSessions::start_pending()
{
    std::vector<PeerInfo> clients;
    if (!has_pending_)
        return clients;
    auto sessions = sessions_.lock();
    has_pending_ = false;
    for (auto &[id, session] : *sessions) {
        if (session.state != State::pending)
            continue;
        session.state = State::starting;
        clients.push_back(session.client);
    }
    return clients;
}

void ClientSessions::post_started(const std::vector<PeerInfo> &clients, nanoseconds first_frame)
{
    for (const auto &client : clients) {
        messages_.on_started(client, first_frame);
        std::optional<PeerTable::Removal> end;
        {
            auto sessions = sessions_.lock();
            auto &session = sessions->at(client.id);
            session.state = State::started;
            end = session.end;
            if (end)
                sessions->erase(client.id);
        }
        if (end)
            post_end(*end);
    }
}

void ClientSessions::post_end(const PeerTable::Removal &removal)
{
    if (removal.reason == RemovalReason::ended)
        return;
    if (removal.replaced_by)
        messages_.on_replaced(removal.peer, *removal.replaced_by);
    else if (removal.has_stopped)
        messages_.on_stopped(removal.peer);
    else
        messages_.on_lost(removal.peer);
}

} // namespace jkvm
