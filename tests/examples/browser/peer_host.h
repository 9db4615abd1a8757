// SPDX-License-Identifier: LGPL-2.1-or-later
// Interface between the web server and a pipeline that clients connect to.
#pragma once

#include "offer.h"
#include "webrtc_peer.h"

#include <memory>

namespace jkvm::browser {

class PeerHost {
public:
    PeerHost() = default;
    PeerHost(const PeerHost &) = delete;
    PeerHost &operator=(const PeerHost &) = delete;
    virtual ~PeerHost() = default;

    /// How many clients may be connected at the same time.
    [[nodiscard]] virtual std::size_t max_peers() const = 0;
    /// What a client has to offer.
    [[nodiscard]] virtual MediaDirection direction() const = 0;
    /// Adds an end of a connection to the pipeline; null if that fails.
    virtual std::shared_ptr<WebRtcPeer> add(const Offer &offer) = 0;
    /// Removes it without disturbing the others.
    virtual void remove(const WebRtcPeer &peer) = 0;
};

} // namespace jkvm::browser
