// SPDX-License-Identifier: LGPL-2.1-or-later
// One viewer: payloads the Opus packets of a tee and sends them to a WebRTC peer.
#pragma once

#include "glib_types.h"
#include "offer.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace jkvm::browser {

/// All members are called on the main thread. webrtcbin emits signals on threads of its own; they
/// are passed to the main loop, which ignores them if the viewer no longer exists.
class Viewer : public std::enable_shared_from_this<Viewer> {
public:
    /// `sdp` is empty if there is no answer.
    using AnswerHandler = std::function<void(const std::optional<std::string> &sdp)>;

    /// Returns null if an element is missing.
    static std::shared_ptr<Viewer> create(int payload_type);
    Viewer(const Viewer &) = delete;
    Viewer &operator=(const Viewer &) = delete;
    ~Viewer();

    /// The branch for the tee, with a pad "sink".
    [[nodiscard]] GstElement *bin() const { return bin_.get(); }

    /// Answers the offer; to be called once, after the branch was added to the pipeline.
    /// `on_answer` is called once, with an answer that contains all candidates. `on_closed` is
    /// called when the connection has failed or was closed.
    void answer(Offer offer, AnswerHandler on_answer, Task on_closed);

private:
    explicit Viewer(GstElement *bin);
    void drop_packets_until_connected();
    void use_loopback_if_alone();
    void watch_states();
    void set_offer();
    void create_answer();
    void set_answer(SdpPtr sdp);
    void finish_answer(const std::optional<std::string> &sdp);
    void send_gathered_answer();
    void on_connection_state();
    /// Returns a task for the main loop that does nothing once the viewer is destroyed.
    Task bind(void (Viewer::*member)());

    ObjectRef<GstElement> bin_;
    ObjectRef<GstElement> webrtc_;
    ObjectRef<GstPad> packets_; // source pad of the payloader
    SdpPtr offer_;              // kept until the payloader has caps
    /// Shared with the pad probe, which the streaming thread calls.
    std::shared_ptr<std::atomic<bool>> is_connected_ = std::make_shared<std::atomic<bool>>(false);
    AnswerHandler on_answer_; // empty after the answer
    Task on_closed_;
    Timer timeout_;
    bool has_local_description_ = false;
};

/// Makes webrtcbin and its libraries initialise now, so that the first viewer does not wait.
void warm_up_webrtc();

} // namespace jkvm::browser
