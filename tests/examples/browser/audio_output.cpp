// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_output.h"

namespace jkvm::browser {

namespace {

/// A branch that is being removed. Kept until its pad of the tee is idle.
struct Removal {
    std::weak_ptr<Pipeline> pipeline;
    ObjectRef<GstElement> tee;
    ObjectRef<GstElement> bin;
    ObjectRef<GstPad> tee_pad;

    void finish() const
    {
        gst_element_release_request_pad(tee.get(), tee_pad.get());
        if (const auto kept = pipeline.lock())
            kept->remove(bin.get());
    }
};

} // namespace

std::unique_ptr<AudioOutput> AudioOutput::start(const std::string &source, Task on_ended)
{
    // An ALLOCATION query that the tee forwards would stall all viewers while one is joining.
    auto pipeline = Pipeline::start(
        source + " ! identity drop-allocation=true ! tee name=viewers allow-not-linked=true",
        std::move(on_ended));
    return pipeline ? std::unique_ptr<AudioOutput>(new AudioOutput(std::move(pipeline))) : nullptr;
}

AudioOutput::AudioOutput(std::unique_ptr<Pipeline> pipeline)
    : pipeline_(std::move(pipeline)), tee_(pipeline_->element("viewers"))
{}

std::shared_ptr<WebRtcPeer> AudioOutput::add(const Offer &offer)
{
    const auto type = std::to_string(offer.payload_type);
    // A viewer that does not keep up loses packets; the others are unaffected.
    auto viewer = WebRtcPeer::create_sender(
        "queue leaky=downstream max-size-time=1000000000 max-size-buffers=0 max-size-bytes=0 ! "
        "rtpopuspay name=payloader pt=" +
        type + " ! application/x-rtp,media=audio,encoding-name=OPUS,payload=" + type +
        " ! webrtcbin name=webrtc bundle-policy=max-bundle");
    if (!viewer)
        return nullptr;
    auto *bin = viewer->bin();
    pipeline_->add(bin, viewer->bind(&WebRtcPeer::close));
    gst_element_sync_state_with_parent(bin);
    const ObjectRef<GstPad> from(gst_element_request_pad_simple(tee_.get(), "src_%u"));
    const ObjectRef<GstPad> to(gst_element_get_static_pad(bin, "sink"));
    gst_pad_link(from.get(), to.get());
    return viewer;
}

void AudioOutput::remove(const WebRtcPeer &viewer)
{
    const ObjectRef<GstPad> sink(gst_element_get_static_pad(viewer.bin(), "sink"));
    ObjectRef<GstPad> tee_pad(gst_pad_get_peer(sink.get()));
    if (!tee_pad)
        return;
    auto *const pad = tee_pad.get();
    auto *removal = new std::shared_ptr<Removal>(
        new Removal{pipeline_, share(tee_.get()), share(viewer.bin()), std::move(tee_pad)});
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_IDLE,
        [](GstPad *idle_pad, GstPadProbeInfo *, gpointer data) {
            const ObjectRef<GstPad> peer(gst_pad_get_peer(idle_pad));
            if (peer)
                gst_pad_unlink(idle_pad, peer.get());
            run_in_main_loop(
                [kept = *static_cast<std::shared_ptr<Removal> *>(data)] { kept->finish(); });
            return GST_PAD_PROBE_REMOVE;
        },
        removal, [](gpointer data) { delete static_cast<std::shared_ptr<Removal> *>(data); });
}

} // namespace jkvm::browser
