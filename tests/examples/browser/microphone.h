// SPDX-License-Identifier: LGPL-2.1-or-later
// The pipeline from the client that speaks to the socket of the microphone.
#pragma once

#include "peer_host.h"
#include "pipeline.h"

#include <memory>
#include <string>

namespace jkvm::browser {

/// jkvmipcsink stays connected while clients come and go. Main thread only.
class Microphone final : public PeerHost {
public:
    /// `socket_path`: of a jkvmipcsrc. Otherwise like Pipeline::start().
    static std::unique_ptr<Microphone> start(const std::string &socket_path, Task on_ended);

    [[nodiscard]] std::size_t max_peers() const override { return 1; }
    [[nodiscard]] MediaDirection direction() const override { return MediaDirection::send; }
    std::shared_ptr<WebRtcPeer> add(const Offer &offer) override;
    void remove(const WebRtcPeer &speaker) override;

private:
    explicit Microphone(std::unique_ptr<Pipeline> pipeline);

    std::unique_ptr<Pipeline> pipeline_;
    ObjectRef<GstElement> funnel_;
};

} // namespace jkvm::browser
