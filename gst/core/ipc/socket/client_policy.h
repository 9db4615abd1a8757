// SPDX-License-Identifier: LGPL-2.1-or-later
// Names the ways in which a listening end decides which clients it serves.
#pragma once

namespace jkvm {

enum class ClientPolicy {
    share,   ///< a sender: up to a maximum; more are turned away
    replace, ///< only the newest, as JetKVM's own processes do (NewestClient)
    reject,  ///< only the first; others are turned away while it is connected
    queue,   ///< a receiver: one at a time, the others wait for their turn (ClientQueue)
};

} // namespace jkvm
