// SPDX-License-Identifier: LGPL-2.1-or-later
// One end of a WebRTC connection that a client has offered.
#pragma once

#include "glib_types.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace jkvm::browser {

/// All members are called on the main thread. webrtcbin emits signals on
/// threads of its own; they are passed to the main loop, which ignores them if the peer no longer
/// exists.
class WebRtcPeer : public std::enable_shared_from_this<WebRtcPeer> {
public:
    /// `sdp` is empty if there is no answer.
    using AnswerHandler = std::function<void(const std::optional<std::string> &sdp)>;

    /// Sends packets to the client. The description of the bin has a webrtcbin called "webrtc", and
    /// rtpopuspay called "payloader" in front of it. Returns null, after a message on standard
    /// error, if an element is missing.
    static std::shared_ptr<WebRtcPeer> create_sender(const std::string &description);
    /// Receives packets from the client and pushes them from the bin's pad "src". Returns null as
    /// create_sender() does.
    static std::shared_ptr<WebRtcPeer> create_receiver();
    WebRtcPeer(const WebRtcPeer &) = delete;
    WebRtcPeer &operator=(const WebRtcPeer &) = delete;
    ~WebRtcPeer();

    /// The elements of this end, for the pipeline.
    [[nodiscard]] GstElement *bin() const { return bin_.get(); }

    /// Answers the offer; to be called once, after the bin was added to the pipeline. `on_answer`
    /// is called once, with an answer that contains all candidates. `on_closed` is called when the
    /// connection has failed, was closed, or is not there some time after the answer.
    void answer(SdpPtr offer, AnswerHandler on_answer, Task on_closed);
    /// Calls on_closed, unless it has been called.
    void close();
    /// Returns a task for the main loop that does nothing once the peer is destroyed.
    Task bind(void (WebRtcPeer::*member)());

private:
    explicit WebRtcPeer(GstElement *bin);
    void drop_packets_until_connected();
    void use_loopback_if_alone();
    void watch_states();
    void set_offer();
    void create_answer();
    void set_answer(SdpPtr sdp);
    void finish_answer(const std::optional<std::string> &sdp);
    void send_gathered_answer();
    void on_connection_state();

    ObjectRef<GstElement> bin_;
    ObjectRef<GstElement> webrtc_;
    ObjectRef<GstPad> packets_; // source pad of the payloader; null for a receiver
    SdpPtr offer_;              // kept until the payloader has caps
    /// Shared with the pad probe, which the streaming thread calls.
    std::shared_ptr<std::atomic<bool>> is_connected_ = std::make_shared<std::atomic<bool>>(false);
    AnswerHandler on_answer_; // empty after the answer
    Task on_closed_;
    Timer timeout_; // of the answer, then of the connection
    bool has_local_description_ = false;
};

/// Makes webrtcbin and its libraries initialise now, so that the first client does not wait.
void warm_up_webrtc();

} // namespace jkvm::browser
