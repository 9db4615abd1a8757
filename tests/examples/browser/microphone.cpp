// SPDX-License-Identifier: LGPL-2.1-or-later
#include "microphone.h"

#include "launch_line.h"

namespace jkvm::browser {

std::unique_ptr<Microphone> Microphone::start(const std::string &socket_path, Task on_ended)
{
    // The sink does not wait for a first packet, which may come hours later.
    auto pipeline = Pipeline::start(
        "funnel name=speakers ! jkvmipcsink direction=microphone async=false socket-path=" +
            quote_for_gst(socket_path),
        std::move(on_ended));
    return pipeline ? std::unique_ptr<Microphone>(new Microphone(std::move(pipeline))) : nullptr;
}

Microphone::Microphone(std::unique_ptr<Pipeline> pipeline)
    : pipeline_(std::move(pipeline)), funnel_(pipeline_->element("speakers"))
{}

std::shared_ptr<WebRtcPeer> Microphone::add(const Offer &)
{
    auto speaker = WebRtcPeer::create_receiver();
    if (!speaker)
        return nullptr;
    auto *bin = speaker->bin();
    pipeline_->add(bin, speaker->bind(&WebRtcPeer::close));
    const ObjectRef<GstPad> from(gst_element_get_static_pad(bin, "src"));
    const ObjectRef<GstPad> to(gst_element_request_pad_simple(funnel_.get(), "sink_%u"));
    gst_pad_link(from.get(), to.get());
    gst_element_sync_state_with_parent(bin);
    return speaker;
}

void Microphone::remove(const WebRtcPeer &speaker)
{
    const ObjectRef<GstPad> from(gst_element_get_static_pad(speaker.bin(), "src"));
    const ObjectRef<GstPad> to(gst_pad_get_peer(from.get()));
    pipeline_->remove(speaker.bin()); // its threads end before the pad disappears
    if (to)
        gst_element_release_request_pad(funnel_.get(), to.get());
}

} // namespace jkvm::browser
