// SPDX-License-Identifier: LGPL-2.1-or-later
// The pipeline from one source of Opus packets to all viewers.
#pragma once

#include "peer_host.h"
#include "pipeline.h"

#include <memory>
#include <string>

namespace jkvm::browser {

/// Main thread only.
class AudioOutput final : public PeerHost {
public:
    /// `source`: a launch line that ends with Opus packets. Otherwise like Pipeline::start().
    static std::unique_ptr<AudioOutput> start(const std::string &source, Task on_ended);

    [[nodiscard]] std::size_t max_peers() const override { return 32; }
    [[nodiscard]] MediaDirection direction() const override { return MediaDirection::receive; }
    std::shared_ptr<WebRtcPeer> add(const Offer &offer) override;
    void remove(const WebRtcPeer &viewer) override;

private:
    explicit AudioOutput(std::unique_ptr<Pipeline> pipeline);

    std::shared_ptr<Pipeline> pipeline_;
    ObjectRef<GstElement> tee_;
};

} // namespace jkvm::browser
