// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/connect_schedule.h"

#include <algorithm>

namespace jkvm {

void ConnectSchedule::on_unreachable(MonotonicTime now, bool is_watching)
{
    if (appeared_ && now - *appeared_ < appearance_time) {
        next_attempt_ = now + appearance_pause;
        return;
    }
    auto pause = backoff_.next();
    if (!is_watching && last_seen_ && now - *last_seen_ < recent_time)
        pause = std::min(pause, polling_pause);
    next_attempt_ = now + pause;
}

void ConnectSchedule::on_connected(MonotonicTime now)
{
    connected_ = now;
    appeared_.reset();
}

void ConnectSchedule::on_closed(MonotonicTime now, bool was_turned_away)
{
    if (connected_ && now - *connected_ >= lasting_time && !was_turned_away)
        backoff_.reset();
    connected_.reset();
    last_seen_ = now;
    next_attempt_ = now + backoff_.next();
}

void ConnectSchedule::on_socket_appeared(MonotonicTime now)
{
    appeared_ = now;
    next_attempt_ = now;
    backoff_.reset();
}

} // namespace jkvm
